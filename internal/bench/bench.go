// Package bench measures the record store against bare etcd, in one process on
// the same cluster, and holds each ratio against the target of the design. It
// stands above the store as the daemon does, and `rtmanager bench` runs it.
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

// Cluster is the etcd that is measured. Its clients stay the caller's.
type Cluster struct {
	// Client serves requests and WatchClient watches, of the store and of bare
	// etcd alike.
	Client, WatchClient *clientv3.Client
	// Embedded says that this process is the cluster, and that nobody keeps its
	// data: its own gauges are read, and nothing is removed afterwards.
	Embedded bool
	// Prefix goes before the prefix that a run makes for itself.
	Prefix string
	// OpenTimeout is how long the cluster has to answer for the first time;
	// 0 is 15 s.
	OpenTimeout time.Duration
}

// Options are the sizes of a run. Default gives those of the design's table.
type Options struct {
	// Writers is how many update at once, each a game of its own; 1 or more.
	Writers int
	// Readers is how many get at once; 1 or more.
	Readers int
	// Watchers is how many subscribe at once; 1 or more.
	Watchers int
	// Records is how many the store holds; 10 or more.
	Records int
	// Duration is how long each side of a ratio is measured, all rounds
	// together; more than nothing.
	Duration time.Duration
	// Rows names the rows to measure; none means all.
	Rows []string
}

// Default returns the sizes of the design's table.
func Default() Options {
	return Options{Writers: 256, Readers: 64, Watchers: 10_000, Records: 100_000, Duration: 5 * time.Second}
}

// Sizes beyond which a run is a slip of the finger.
const (
	maxWorkers = 1_000_000
	minRecords = 10
	maxRecords = 10_000_000
)

// Validate returns nil for options that can be run, and otherwise every fault
// at once, each naming the flag it comes from. It errors.Is runtime.ErrInvalid.
func (o Options) Validate() error {
	var faults []error
	within := func(flag string, n, least, most int) {
		if n < least || n > most {
			faults = append(faults, &runtime.InvalidError{Field: flag, Reason: fmt.Sprintf("is %d; use %d to %d", n, least, most)})
		}
	}
	within("--writers", o.Writers, 1, maxWorkers)
	within("--readers", o.Readers, 1, maxWorkers)
	within("--watchers", o.Watchers, 1, maxWorkers)
	within("--records", o.Records, minRecords, maxRecords)
	if o.Duration <= 0 {
		faults = append(faults, &runtime.InvalidError{Field: "--duration", Reason: fmt.Sprintf("is %s; use more than nothing, such as 5s", o.Duration)})
	}
	for _, name := range o.Rows {
		if !slices.Contains(RowNames(), name) {
			faults = append(faults, &runtime.InvalidError{Field: "--row", Reason: fmt.Sprintf("%q is not a row; use one of %s", name, strings.Join(RowNames(), ", "))})
		}
	}
	return errors.Join(faults...)
}

// wants reports whether the row is to be measured.
func (o Options) wants(name string) bool { return len(o.Rows) == 0 || slices.Contains(o.Rows, name) }

// rare is how many records have the status that ListByStatus asks for.
func (o Options) rare() int { return min(100, o.Records/2) }

// Progress is where a run stands. Total is 0 where nothing is counted, and
// Finished is the row that has just been measured, else nil.
type Progress struct {
	Doing       string
	Done, Total int
	Finished    *Row
}

// Run measures the rows and removes everything that it wrote, also when it
// fails or ctx ends. It calls progress, which may be nil, from one goroutine
// at a time.
//
// Beside an error the report holds the rows that were measured before it. The
// error is ctx's own, a fault of the options, or what the store or etcd said; and
// it is or wraps a *LeftoverError when keys were left behind.
func Run(ctx context.Context, cluster Cluster, options Options, progress func(Progress)) (report Report, err error) {
	if err := options.Validate(); err != nil {
		return Report{}, err
	}
	if progress == nil {
		progress = func(Progress) {}
	}
	r := newRig(cluster, options, progress)
	report = newReport(cluster, options)
	defer func() { err = errors.Join(err, r.close(ctx)) }()
	rows, err := r.measure(ctx)
	report.Rows = append(report.Rows, rows...)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx) // not the words of whatever it cut off
	}
	return report, err
}

// measure measures growth first, since it is about the way to the full store,
// and the other rows on that store. The rows come in the order of the table.
func (r *rig) measure(ctx context.Context) (rows []Row, err error) {
	if err := r.open(ctx); err != nil {
		return nil, err
	}
	var last []Row
	if r.options.wants(growthName) {
		grown, err := r.row(ctx, growth())
		if err != nil {
			return nil, err
		}
		last = append(last, grown)
	}
	if err := r.load(ctx, r.options.Records); err != nil {
		return last, err
	}
	if err := r.awaitReady(ctx); err != nil {
		return last, err
	}
	for _, row := range rowsOfTable() {
		if row.name == growthName || !r.options.wants(row.name) {
			continue
		}
		measured, err := r.row(ctx, row)
		if err != nil {
			return append(rows, last...), err
		}
		rows = append(rows, measured)
	}
	return append(rows, last...), nil
}

// row measures one row and tells of it.
func (r *rig) row(ctx context.Context, row row) (Row, error) {
	r.progress(Progress{Doing: row.name})
	measured, err := row.measure(ctx, r)
	if err != nil {
		return Row{}, fmt.Errorf("%s: %w", row.name, err)
	}
	measured.Name, measured.What, measured.Against = row.name, row.what, row.against
	r.progress(Progress{Doing: row.name, Finished: &measured})
	return measured, nil
}
