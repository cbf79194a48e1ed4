package bench

import (
	"fmt"
	goruntime "runtime"
)

// Report is what a run found. Its JSON names are stable.
type Report struct {
	Machine Machine `json:"machine"`
	Options Sizes   `json:"options"`
	Rows    []Row   `json:"rows"`
}

// Machine is where a run took place.
type Machine struct {
	Cores int    `json:"cores"` // that this process may use
	Go    string `json:"go"`
	OS    string `json:"os"`
	Arch  string `json:"arch"`
	Etcd  string `json:"etcd"` // embedded or external
}

// Sizes are the options of a run as a report has them.
type Sizes struct {
	Writers         int      `json:"writers"`
	Readers         int      `json:"readers"`
	Watchers        int      `json:"watchers"`
	Records         int      `json:"records"`
	DurationSeconds float64  `json:"duration_s"`
	Rows            []string `json:"rows"`
}

// The units of a row's two figures.
const (
	UnitMicroseconds = "us"
	UnitPerSecond    = "1/s"
	UnitWatches      = "watches"
)

// Row is one measured ratio beside its target.
type Row struct {
	Name    string `json:"name"`
	What    string `json:"what"`    // what was measured
	Against string `json:"against"` // what it was held against
	Target  string `json:"target"`
	// Ours and Theirs are the medians of the rounds, in Unit.
	Ours   float64 `json:"ours"`
	Theirs float64 `json:"theirs"`
	Unit   string  `json:"unit"`
	Ratio  float64 `json:"ratio"`
	// Spread is the least and the greatest ratio of a single round: the noise.
	Spread  [2]float64 `json:"spread"`
	Reached bool       `json:"reached"`
	// Details holds further figures, each with its unit at the end of its name.
	Details map[string]float64 `json:"details"`
}

func newReport(cluster Cluster, options Options) Report {
	etcd := "external"
	if cluster.Embedded {
		etcd = "embedded"
	}
	names := options.Rows
	if len(names) == 0 {
		names = RowNames()
	}
	return Report{
		Machine: Machine{Cores: goruntime.GOMAXPROCS(0), Go: goruntime.Version(), OS: goruntime.GOOS, Arch: goruntime.GOARCH, Etcd: etcd},
		Options: Sizes{
			Writers: options.Writers, Readers: options.Readers, Watchers: options.Watchers, Records: options.Records,
			DurationSeconds: options.Duration.Seconds(), Rows: names,
		},
		Rows: []Row{},
	}
}

// goal is what a ratio has to reach.
type goal struct {
	limit   float64
	atLeast bool   // rather than at most
	also    string // what else the row asks for
}

func (g goal) reached(ratio float64) bool {
	if g.atLeast {
		return ratio >= g.limit
	}
	return ratio <= g.limit
}

func (g goal) String() string {
	sign := "≤"
	if g.atLeast {
		sign = "≥"
	}
	text := fmt.Sprintf("%s %.4g×", sign, g.limit)
	if g.also != "" {
		text += ", " + g.also
	}
	return text
}
