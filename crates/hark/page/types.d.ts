// The shapes the API answers with, for the type checker only: this file is not served.

export interface Signal { name: string; short: string; unit: string; symbol: string }
export interface Span { low: number; high: number }
export interface Reason { signal: string; direction: "above" | "below" | "within"; text: string }
export interface Judgement { score: number; is_anomaly: boolean; expected: Span | null }
export interface Verdict {
  model_version: string; score: number; is_anomaly: boolean;
  signals: Record<string, Judgement | undefined>; reasons: Reason[];
}
export interface Location { building?: string | null; floor?: string | null; room?: string | null }
export interface Reading {
  device_id: string; timestamp: string; received_at: string; location: Location | null; device_type: string | null;
  values: Record<string, number | undefined>; late: boolean; clock_suspect: boolean; verdict: Verdict | null;
}
export type DeviceState = "fine" | "odd" | "silent";
export interface Learning { have: number; need: number }
export interface Device {
  device_id: string; location: Location | null; device_type: string | null; first_received_at: string; last_received_at: string;
  readings: number; state: DeviceState; silent: boolean; last: Reading | null; history: number; learning: Learning | null;
  doubts: { kind: string; signal: string | null }[];
  ranges?: Record<string, Span & { mean: number; sd: number }>;
}
export interface Totals { total: number; judged: number; anomalies: number; anomaly_rate: number | null }
export interface Group { name: string; devices: number; readings: number; anomalies: number; odd: number; silent: number }
export interface ScoreBin { low: number; readings: number; anomalies: number }
export interface SignalStats { mean: number; min: number; max: number; previous_mean: number | null }
export interface Summary {
  now: string; range: { from: string; to: string };
  devices: { total: number; fine: number; odd: number; silent: number };
  readings: Totals & { per_second: { last_minute: number }; previous: Totals | null };
  newest_reading_at: string | null; newest_received_at: string | null;
  signals: Record<string, SignalStats | null | undefined>;
  by: { building: Group[]; floor: Group[]; device_type: Group[] };
  scores: ScoreBin[]; model: { version: string; trained_at: string } | null;
  learning: Learning | null; dead_letters: number; newest_anomalies: Reading[];
}
export interface BucketSignal { count: number; min: number; max: number; mean: number; expected?: Span | null }
export interface Bucket { start: string; readings: number; anomalies: number; signals: Record<string, BucketSignal | null | undefined> }
export interface Buckets { width_seconds: number; buckets: Bucket[] }
export interface Course {
  device: string; from: number; to: number; width: number; buckets: Bucket[]; anomalies: Reading[]; raw: Reading[]; ranges: Device["ranges"] | null;
}
export interface Labelled {
  precision: number | null; recall: number | null; f1: number | null; roc_auc: number | null; average_precision: number | null;
  confusion: { tp: number; fp: number; fn: number; tn: number } | null; false_alarms_per_device_day: number | null;
}
export interface Measured { labelled: Labelled | null; flag_rate: number | null; score_quantiles: Record<string, number> | null }
export interface Metrics extends Measured {
  version: string; created_at: string; threshold: Record<string, unknown> & { policy: string };
  held_out: { readings: number; devices: number; from: string; to: string } | null;
  recurring?: { rhythms: { text: string }[]; labelled_devices: number };
  shadow?: { champion: string; readings: number; devices: number; promoted: boolean; why: string } | null;
  flags_per_device_day: number | null; signals: Record<string, Measured | undefined>;
}
export interface Problem { title: string; status: number; detail: string; code?: string; field?: string; hint?: string }
export type Severity = "notice" | "warning" | "critical";
export type LabelName = "true" | "false_alarm" | "expected" | "sensor_fault";
export interface Incident {
  id: string; device_id: string; state: "open" | "acknowledged" | "snoozed" | "resolved"; snoozed_until: string | null; assignee: string | null;
  label: { label: LabelName; who: string; at: string; note: string | null } | null; severity: Severity; kind: string;
  began: string; opened_at: string; last: string; closed_at: string | null; ongoing: boolean; peak: { score: number; at: string };
  readings: number; reason: string; signals: { signal: string; share: number; direction: Reason["direction"] }[];
  model_version: string; updated_at: string;
}
export interface Audit { at: string; who: string; action: string; detail: string | null; note: string | null }
export interface IncidentDetail extends Incident {
  window: { from: string; to: string }; readings_url: string; nearest: { distance: number; incident: Incident }[]; audit: Audit[];
  course?: Course;
}
export interface Route {
  device: string; hours: number; state: "" | DeviceState; building: string; floor: string; type: string; q: string;
  odd: boolean; utc: boolean; auto: boolean; page: number; incident: string; past: boolean;
}
export interface ReadingsPage { readings: Reading[]; next: string | null; cursors: string[] }
export interface State {
  route: Route; signals: Signal[]; summary: Summary | null; devices: Device[] | null; device: Device | null; course: Course | null;
  table: ReadingsPage | null; metrics: Metrics | null; problems: Record<string, Problem>;
  gone: boolean; goneSince: number; checkedAt: number; serverAhead: number; heardAt: number; clock: number; loads: number;
  incidents: Incident[] | null; heldIncidents: string[] | null; detail: IncidentDetail | null; undo: { id: string; text: string } | null;
  ask: "snooze" | "comment" | null; help: boolean; keys: boolean;
  fresh: Reading[]; held: Record<string, Reading[] | null>; announcement: string; theme: "" | "light" | "dark";
}
export interface ChartSpec {
  key: string; label: string; symbol: string; from: number; to: number; width: number; utc: boolean; xs: number[];
  mins: (number | null)[]; maxs: (number | null)[]; means: (number | null)[]; counts: number[];
  lows: (number | null)[] | null; highs: (number | null)[] | null;
  markers: { at: number; value: number; device: string; below: boolean; score: number }[];
}
