package bench

import (
	goruntime "runtime"
	"slices"
)

// Report is the result of a run. Its JSON names are stable.
type Report struct {
	Machine Machine `json:"machine"`
	Options Sizes   `json:"options"`
	Rows    []Row   `json:"rows"`
}

// Machine describes the machine of a run.
type Machine struct {
	Cores int    `json:"cores"` // available to this process
	Go    string `json:"go"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Etcd  string `json:"etcd"` // a constant Etcd…; members are processes of this run
	// Members is the number of members, as far as it is known.
	Members int `json:"members"`
}

// The values of Machine.Etcd.
const (
	EtcdEmbedded = "embedded"
	EtcdMembers  = "members"
	EtcdExternal = "external"
)

// Sizes are the options of a run.
type Sizes struct {
	Writers         int      `json:"writers"`
	Readers         int      `json:"readers"`
	Watchers        int      `json:"watchers"`
	Records         int      `json:"records"`
	DurationSeconds float64  `json:"duration_s"`
	Rows            []string `json:"rows"`
	Against         string   `json:"against"`
}

// The units of the figures of a row.
const (
	UnitMicroseconds = "us"
	UnitPerSecond    = "1/s"
	UnitWatches      = "watches"
)

// Names of sides.
const (
	SideStore = "rtmanager"
	SideBare  = "bare"
)

// Row is one measured ratio with its target.
type Row struct {
	Name string `json:"name"`
	// Sides names both sides, for results of Go benchmarks: SideStore, and SideBare or
	// another baseline.
	Sides   [2]string `json:"sides"`
	What    string    `json:"what"`    // description of the measured workload
	Against string    `json:"against"` // description of the baseline
	Target  string    `json:"target"`
	// Measured and Baseline are the medians of the rounds, in Unit. Ratio is the median of
	// the ratios of the rounds.
	Measured float64 `json:"measured"`
	Baseline float64 `json:"baseline"`
	Unit     string  `json:"unit"`
	Ratio    float64 `json:"ratio"`
	// Spread is the lowest and the highest ratio of a single round.
	Spread [2]float64 `json:"spread"`
	// CPU compares the CPU time of this process, which includes an embedded etcd, and
	// EtcdCPU that of the processes of all members. They are nil for rows without rounds,
	// and EtcdCPU if it is not known.
	CPU     *CPU `json:"cpu,omitempty"`
	EtcdCPU *CPU `json:"etcd_cpu,omitempty"`
	// Reached reports whether Ratio, and any further condition of Target, is met.
	Reached bool `json:"reached"`
	// Details holds further figures. Each name ends with the unit.
	Details map[string]float64 `json:"details"`
	// Rounds are the rounds in the order in which they were measured; empty for rows
	// without rounds.
	Rounds []Round `json:"rounds"`
}

func newReport(cluster Cluster, options Options) Report {
	etcd := EtcdExternal
	switch {
	case cluster.Embedded:
		etcd = EtcdEmbedded
	case cluster.Members != nil:
		etcd = EtcdMembers
	}
	names := options.Rows
	if len(names) == 0 {
		names = slices.DeleteFunc(RowNames(), func(name string) bool { return !options.isSelected(name) })
	}
	return Report{
		Machine: Machine{Cores: goruntime.GOMAXPROCS(0), Go: goruntime.Version(), OS: goruntime.GOOS, Arch: goruntime.GOARCH, Etcd: etcd, Members: cluster.memberCount()},
		Options: Sizes{
			Writers: options.Writers, Readers: options.Readers, Watchers: options.Watchers, Records: options.Records,
			DurationSeconds: options.Duration.Seconds(), Rows: names, Against: options.Against,
		},
		Rows: []Row{},
	}
}
