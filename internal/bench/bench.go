package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Cluster is the etcd that is measured. The caller closes its clients.
type Cluster struct {
	// Client makes the requests, and WatchClient the watches, of the store and of bare
	// etcd.
	Client, WatchClient *clientv3.Client
	// Embedded is set if this process is the cluster and its data is temporary. The run
	// then reads etcd's own metrics and does not remove its keys.
	Embedded bool
	// Members are the processes of the members if they serve only this run; nil for any
	// other cluster. The run does not remove its keys from them.
	Members MemberProcesses
	// URLs are the client URLs, separated by commas.
	URLs string
	// Prefix is prepended to the prefix that a run generates.
	Prefix string
	// OpenTimeout is the timeout of the first requests; 0 means 15 s.
	OpenTimeout time.Duration

	externalMembers int // of an external cluster, 0 if it is not known
}

// MemberProcesses are the processes of all members of a cluster.
type MemberProcesses interface {
	// Size returns the number of members.
	Size() int
	// CPUTime returns the CPU time, user and system, that all of them have used.
	CPUTime(ctx context.Context) (time.Duration, error)
	// StartProfiles starts a CPU profile of each member, in the file that the function
	// returns for the name of the member. StopProfiles ends and completes them.
	StartProfiles(ctx context.Context, file func(member string) string) error
	StopProfiles(ctx context.Context) error
}

// Options are the sizes of a run. Default returns those of the design.
type Options struct {
	// Writers is the number of concurrent writers, each with its own game; at least 1.
	Writers int
	// Readers is the number of concurrent readers; at least 1.
	Readers int
	// Watchers is the number of concurrent subscribers; at least 1.
	Watchers int
	// Records is the number of records in the store; at least 10.
	Records int
	// Duration is the measuring time of each workload, over all rounds; more than 0.
	Duration time.Duration
	// Rows names the rows to measure; empty means all.
	Rows []string
	// ProfileDir is the existing directory for profiles of both sides of each row with
	// rounds; empty means no profiles. They are of a measurement of their own after the
	// rounds.
	ProfileDir string
	// Against is SideBare, or the name of another store that StartPeer starts. Empty means
	// SideBare. Only the rows of PeerRows can be compared with another store. StartPeer is
	// required with it.
	Against   string
	StartPeer StartPeer
}

// hasPeer reports whether the run compares with another store.
func (o Options) hasPeer() bool { return o.Against != "" && o.Against != SideBare }

// Default returns the sizes of the design.
func Default() Options {
	return Options{Against: SideBare, Writers: 256, Readers: 64, Watchers: 10_000, Records: 100_000, Duration: 5 * time.Second}
}

// Limits of the sizes, against typing errors.
const (
	maxWorkers = 1_000_000
	minRecords = 10
	maxRecords = 10_000_000
)

// Validate returns nil for valid options, and otherwise every fault, joined. Each is a
// *runtime.InvalidError on the flag of the command.
func (o Options) Validate() error {
	var faults []error
	checkRange := func(flag string, n, lowest, highest int) {
		if n < lowest || n > highest {
			faults = append(faults, &runtime.InvalidError{Field: flag, Reason: fmt.Sprintf("is %d; use %d to %d", n, lowest, highest)})
		}
	}
	checkRange("--writers", o.Writers, 1, maxWorkers)
	checkRange("--readers", o.Readers, 1, maxWorkers)
	checkRange("--watchers", o.Watchers, 1, maxWorkers)
	checkRange("--records", o.Records, minRecords, maxRecords)
	if o.Duration <= 0 {
		faults = append(faults, &runtime.InvalidError{Field: "--duration", Reason: fmt.Sprintf("is %s; use more than 0, such as 5s", o.Duration)})
	}
	if o.hasPeer() && o.StartPeer == nil {
		faults = append(faults, &runtime.InvalidError{Field: "--against", Reason: fmt.Sprintf("%q is not known", o.Against)})
	}
	for _, name := range o.Rows {
		if !slices.Contains(RowNames(), name) {
			faults = append(faults, &runtime.InvalidError{Field: "--row", Reason: fmt.Sprintf("%q is not a row; use one of %s", name, strings.Join(RowNames(), ", "))})
		} else if o.hasPeer() && !slices.Contains(PeerRows(), name) {
			faults = append(faults, &runtime.InvalidError{Field: "--row", Reason: fmt.Sprintf("%s has no row %s; use one of %s", o.Against, name, strings.Join(PeerRows(), ", "))})
		}
	}
	return errors.Join(faults...)
}

// isSelected reports whether the options select the row.
func (o Options) isSelected(name string) bool {
	if o.hasPeer() && !slices.Contains(PeerRows(), name) {
		return false
	}
	return len(o.Rows) == 0 || slices.Contains(o.Rows, name)
}

// selectedRecords returns the number of records with the status that list-by-status reads.
func (o Options) selectedRecords() int { return min(100, o.Records/2) }

// Progress is the progress of a run. Total is 0 for an activity without a count. Finished
// is the row that was just measured, or nil.
type Progress struct {
	Activity    string
	Done, Total int
	Finished    *Row
}

// Run measures the rows. It removes everything that it wrote, also if it fails or ctx
// ends. It calls progress, which may be nil, from one goroutine at a time.
//
// If Run returns an error, the report contains the rows that were measured before it. The
// error is the cause of ctx, that of Options.Validate, or an error of the store or etcd.
// It is or wraps a *LeftoverError if keys remain.
func Run(ctx context.Context, cluster Cluster, options Options, progress func(Progress)) (report Report, err error) {
	if err := options.Validate(); err != nil {
		return Report{}, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	cluster.countMembers(ctx)
	r := newRunner(cluster, options, progress)
	report = newReport(cluster, options)
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	rows, err := r.measureRows(ctx)
	report.Rows = append(report.Rows, rows...)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // not the error of the canceled request
	}
	return report, err
}

// measureRows measures growth first, while the store is filled, and the other rows on the
// full store. It returns the rows in the order of the table.
func (r *runner) measureRows(ctx context.Context) (rows []Row, err error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	var growthRows []Row
	if r.options.isSelected(growthName) {
		growthRow, err := r.measureRow(ctx, growthRow())
		if err != nil {
			return nil, err
		}
		growthRows = append(growthRows, growthRow)
	}
	if err := r.load(ctx, r.options.Records); err != nil {
		return growthRows, err
	}
	if err := r.waitForCache(ctx); err != nil {
		return growthRows, err
	}
	if err := r.startPeer(ctx); err != nil {
		return growthRows, err
	}
	for _, row := range allRows() {
		if row.name == growthName || !r.options.isSelected(row.name) {
			continue
		}
		measured, err := r.measureRow(ctx, row)
		if err != nil {
			return append(rows, growthRows...), err
		}
		rows = append(rows, measured)
	}
	return append(rows, growthRows...), nil
}

// measureRow measures one row and reports progress.
func (r *runner) measureRow(ctx context.Context, row rowSpec) (Row, error) {
	r.progress(Progress{Activity: row.name})
	measured, err := row.measure(ctx, r)
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w", row.name, err)
	}
	if measured.Rounds == nil {
		measured.Rounds = []Round{}
	}
	measured.Name, measured.What, measured.Against = row.name, row.what, row.against
	if r.options.hasPeer() {
		measured.Against = "the same by " + r.options.Against
	}
	r.progress(Progress{Activity: row.name, Finished: &measured})
	return measured, nil
}
