package recording

// Run describes the run that a recording is of.
type Run struct {
	// Seed chooses traffic and faults. The same seed makes the same choices; what they meet depends
	// on the machine.
	Seed    uint64 `json:"seed"`
	Layout  string `json:"layout"`  // of the cluster, such as "external" or "embedded"
	Version string `json:"version"` // that the daemons report
	Prefix  string `json:"prefix"`  // of all keys in etcd
	Planted string `json:"planted,omitempty"`
	// NoChanges is set if etcd could not be reached, so that its changes were not recorded.
	NoChanges bool `json:"no_changes,omitempty"`

	Started  string `json:"started"`  // wall clock, RFC 3339
	Duration int64  `json:"duration"` // of traffic, until the last fault was repaired
	// Stable is the time at which the last fault was repaired; from it on everything must recover.
	Stable int64 `json:"stable"`
	// Nodes are the daemons, as "region/node".
	Nodes []string `json:"nodes"`
	// Games are those that the clients used, with the operations that a game was used for: "records",
	// which clients write directly, or "lifecycle", whose containers daemons run.
	Games map[string]string `json:"games"`
}
