package bench

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/adapters/etcdstore"
)

// Rounds of a comparison. The workloads alternate, so that noise of the machine is likely
// to affect both.
const (
	maxRounds = 7
	minRounds = 5 // if rounds take long
)

// comparison compares two workloads by one figure of their rounds.
type comparison struct {
	name, what, against string
	// baselineName is the name of the other side, if that is not bare etcd.
	baselineName string
	unit         string
	figure       func(Side) float64
	// isInverse makes the ratio baseline to measured: how many times faster.
	isInverse bool
	target    targetFunc
	workloads func(context.Context, *runner) (measured, baseline workload, err error)
}

// subject is what one side of a comparison measures.
type subject interface {
	// measure measures for about the period.
	measure(ctx context.Context, cluster Cluster, period time.Duration) (Side, error)
}

func (c comparison) measure(ctx context.Context, r *runner) (Row, error) {
	measured, bare, err := c.workloads(ctx, r)
	if err != nil {
		return Row{}, err
	}
	var baseline subject = bare
	if r.peer != nil {
		baseline = peerSubject{peer: r.peer, row: c.name}
	}
	before := r.store.BatchStats()
	rounds, err := r.runRounds(ctx, c.name, measured, baseline)
	if err != nil {
		return Row{}, err
	}
	after := r.store.BatchStats()
	if err := r.profileBoth(ctx, c.name, measured, baseline); err != nil {
		return Row{}, err
	}
	row, err := c.newRow(r.cluster, r.options, rounds)
	if err == nil {
		addBatches(row.Details, before, after)
	}
	return row, err
}

// addBatches adds how many writes the requests of the store had, if it has written: the mean, and
// the share of requests of each size.
func addBatches(details map[string]float64, before, after etcdstore.BatchStats) {
	requests := float64(after.Requests - before.Requests)
	if requests == 0 {
		return
	}
	details["batch_mean_writes"] = float64(after.Transactions-before.Transactions) / requests
	for i, bound := range etcdstore.BatchSizeBounds() {
		details[fmt.Sprintf("batches_to_%03d_writes_percent", bound)] = 100 * float64(after.Sizes[i]-before.Sizes[i]) / requests
	}
}

// runRounds measures the sides alternately, after a short warm-up of each. It does not set
// the ratios.
func (r *runner) runRounds(ctx context.Context, name string, measured, baseline subject) ([]Round, error) {
	slice := r.options.Duration / maxRounds
	for _, s := range []subject{measured, baseline} {
		if _, err := s.measure(ctx, r.cluster, slice/4); err != nil {
			return nil, err
		}
	}
	var rounds []Round
	start := time.Now()
	for i := range maxRounds {
		if i >= minRounds && time.Since(start) > 4*r.options.Duration {
			break
		}
		r.progress(Progress{Activity: name, Done: i, Total: maxRounds})
		round, err := r.measureRound(ctx, measured, baseline, i)
		if err != nil {
			return nil, err
		}
		rounds = append(rounds, round)
	}
	return rounds, nil
}

// measureRound measures one round. The side that is first alternates, because the first one
// of a round may pay for what the last one of the round before has left.
func (r *runner) measureRound(ctx context.Context, measured, baseline subject, index int) (round Round, err error) {
	slice := r.options.Duration / maxRounds
	sides := []func() error{
		func() (err error) { round.Measured, err = measured.measure(ctx, r.cluster, slice); return err },
		func() (err error) { round.Baseline, err = baseline.measure(ctx, r.cluster, slice); return err },
	}
	if index%2 == 1 {
		slices.Reverse(sides)
	}
	for _, measure := range sides {
		if err := measure(); err != nil {
			return Round{}, err
		}
	}
	return round, nil
}

// errZeroFigure is the error of a figure without a ratio.
var errZeroFigure = errors.New("a measurement is 0; use a longer --duration")

// newRow returns the row of the rounds. The ratio is the median of those of the rounds.
func (c comparison) newRow(cluster Cluster, options Options, rounds []Round) (Row, error) {
	measured, baseline := figuresOf(rounds, measuredSide, c.figure), figuresOf(rounds, baselineSide, c.figure)
	if slices.Min(measured) <= 0 || slices.Min(baseline) <= 0 {
		return Row{}, errZeroFigure
	}
	row := Row{Measured: median(measured), Baseline: median(baseline), Unit: c.unit, Details: map[string]float64{}, Rounds: rounds}
	row.CPU, row.EtcdCPU = newCPU(rounds, cpuOf), newCPU(rounds, etcdCPUOf)
	ratios := make([]float64, len(rounds))
	for i := range rounds {
		rounds[i].Ratio = c.ratioOf(measured[i], baseline[i])
		ratios[i] = rounds[i].Ratio
	}
	row.Ratio, row.Spread = median(ratios), spreadOf(ratios)
	row.Sides = [2]string{SideStore, cmp.Or(c.baselineName, SideBare)}
	target := c.target(cluster, options)
	if options.hasPeer() {
		row.Sides[1], target = options.Against, peerTarget(c)
	}
	row.Target, row.Reached = target.String(), target.isReached(row)
	addDetails(row.Details, "measured", rounds, measuredSide)
	addDetails(row.Details, "baseline", rounds, baselineSide)
	return row, nil
}

func (c comparison) ratioOf(measured, baseline float64) float64 {
	if c.isInverse {
		return baseline / measured
	}
	return measured / baseline
}

// spreadOf returns the lowest and the highest of a list that is not empty.
func spreadOf(figures []float64) [2]float64 {
	return [2]float64{slices.Min(figures), slices.Max(figures)}
}

// median returns the median of a list that is not empty.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
