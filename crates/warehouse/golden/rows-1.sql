-- Rows as the first release wrote them.
INSERT INTO sensor_readings VALUES
  (1754474400000000, 'sensor_001', 20.5, 1.25, 1, -0.5, 1754474400250000, 'm-0001', 0, 0,
   -0.25, 1, 18.1, 24.3, -0.25, 1, 18.1, 24.3, 'Building A', NULL, 'Room 12', 'temp_vibration_sensor',
   1, 'temperature_spike',
   '[{"signal":"temperature","direction":"above","text":"temperature \"41.2\" °C, expected 18.1 to 24.3"}]'),
  (1754474410000000, 'Süd 🔧', NULL, 1.25, 0, 0.125, 1754474410250000, 'm-0001', 0, 0,
   NULL, NULL, NULL, NULL, 0.375, 0, 18.1, 24.3, 'Building A', NULL, 'Room 12', 'temp_vibration_sensor',
   0, NULL, NULL),
  (1754474420000000, 'sensor_001', 20.5, 1.25, NULL, NULL, 1754474420250000, NULL, 1, 0,
   NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO devices VALUES
  ('sensor_001', 'Building A', NULL, 'Room 12', 'temp_vibration_sensor', 1754474400250000, 1754474420250000, 2,
   1754474400000000, 1754474420000000, 1754474400000000, x'0102ff'),
  ('Süd 🔧', 'Building A', NULL, 'Room 12', 'temp_vibration_sensor', 1754474410250000, 1754474410250000, 1,
   1754474410000000, 1754474410000000, 1754474410000000, NULL);
INSERT INTO dead_letters VALUES
  (7, 1754474430000000, 'http', 'wrong_type', 'temperature', 'temperature must be a number, got "x"', x'7bff');
