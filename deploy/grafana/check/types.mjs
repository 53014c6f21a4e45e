// Writes check.ts: each dashboard as a literal that must satisfy Grafana's own type.
//   node types.mjs FOLDER-TO-WRITE DASHBOARD.json…
import fs from "node:fs";
import path from "node:path";

const [folder, ...files] = process.argv.slice(2);
const literals = files.map((file) => {
    // TypeScript takes no string for a member of an enum.
    const json = fs.readFileSync(file, "utf8").trim().replaceAll('"mode": "absolute"', '"mode": ThresholdsMode.Absolute');
    return `export const ${path.basename(file, ".json")} = ${json} satisfies Shown;`;
});
const head = `import { ThresholdsMode, type AnnotationQuery, type Dashboard, type DataQuery } from "@grafana/schema";
// What the Prometheus data source keeps in an annotation's target and beside it.
type Annotation = AnnotationQuery<DataQuery & { expr: string; interval: string }> & { titleFormat?: string; textFormat?: string };
type Shown = Omit<Dashboard, "annotations"> & { annotations: { list: Annotation[] } };
`;
fs.writeFileSync(path.join(folder, "check.ts"), head + literals.join("\n") + "\n");
