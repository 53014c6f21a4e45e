//! A seeded, labelled fleet of devices with physical faults.
