package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Rounds of a comparison. The workloads alternate, so that noise of the machine is likely
// to affect both.
const (
	maxRounds = 7
	minRounds = 3 // if rounds take long
)

// comparison compares two workloads by one figure of their samples.
type comparison struct {
	name, what, against string
	unit                string
	figure              func(*sample) float64
	// isInverse makes the ratio baseline to measured: how many times faster.
	isInverse bool
	target    func(Options) target
	workloads func(context.Context, *runner) (measured, baseline workload, err error)
}

// roundSamples holds the samples of both workloads, one of each per round.
type roundSamples struct{ measured, baseline []*sample }

func (c comparison) measure(ctx context.Context, r *runner) (Row, error) {
	measured, baseline, err := c.workloads(ctx, r)
	if err != nil {
		return Row{}, err
	}
	samples, err := r.runRounds(ctx, c.name, measured, baseline)
	if err != nil {
		return Row{}, err
	}
	return c.newRow(r.options, samples)
}

// runRounds measures the workloads alternately, after a short warm-up of each.
func (r *runner) runRounds(ctx context.Context, name string, measured, baseline workload) (roundSamples, error) {
	slice := r.options.Duration / maxRounds
	for _, s := range []workload{measured, baseline} {
		if _, err := s.measure(ctx, slice/4); err != nil {
			return roundSamples{}, err
		}
	}
	var samples roundSamples
	start := time.Now()
	for round := range maxRounds {
		if round >= minRounds && time.Since(start) > 4*r.options.Duration {
			break
		}
		r.progress(Progress{Activity: name, Done: round, Total: maxRounds})
		a, err := measured.measure(ctx, slice)
		if err != nil {
			return roundSamples{}, err
		}
		b, err := baseline.measure(ctx, slice)
		if err != nil {
			return roundSamples{}, err
		}
		samples.measured, samples.baseline = append(samples.measured, &a), append(samples.baseline, &b)
	}
	return samples, nil
}

// errZeroFigure is the error of a figure without a ratio.
var errZeroFigure = errors.New("a measurement is 0; use a longer --duration")

// newRow returns the row of the samples. The ratio is that of the medians.
func (c comparison) newRow(options Options, samples roundSamples) (Row, error) {
	measured, baseline := c.figures(samples.measured), c.figures(samples.baseline)
	row := Row{Measured: median(measured), Baseline: median(baseline), Unit: c.unit, Details: map[string]float64{}}
	if row.Measured <= 0 || row.Baseline <= 0 || slices.Min(measured) <= 0 || slices.Min(baseline) <= 0 {
		return Row{}, errZeroFigure
	}
	row.Ratio = c.ratioOf(row.Measured, row.Baseline)
	row.Spread = [2]float64{math.Inf(1), 0}
	for i := range measured {
		ratio := c.ratioOf(measured[i], baseline[i])
		row.Spread = [2]float64{min(row.Spread[0], ratio), max(row.Spread[1], ratio)}
	}
	target := c.target(options)
	row.Target, row.Reached = target.String(), target.isReached(row.Ratio)
	addDetails(row.Details, "measured", samples.measured)
	addDetails(row.Details, "baseline", samples.baseline)
	return row, nil
}

func (c comparison) ratioOf(measured, baseline float64) float64 {
	if c.isInverse {
		return baseline / measured
	}
	return measured / baseline
}

func (c comparison) figures(samples []*sample) []float64 {
	figures := make([]float64, len(samples))
	for i, s := range samples {
		figures[i] = c.figure(s)
	}
	return figures
}

// addDetails adds the figures of all rounds of a workload.
func addDetails(details map[string]float64, name string, samples []*sample) {
	var all sample
	for _, s := range samples {
		all.elapsed += s.elapsed
		all.latencies.add(&s.latencies)
		all.allocations += s.allocations
		all.bytes += s.bytes
	}
	count := float64(max(all.latencies.count, 1))
	details[name+"_ops"] = float64(all.latencies.count)
	details[name+"_mean_us"] = mean(&all)
	details[name+"_p50_us"] = microseconds(all.latencies.quantile(0.5))
	details[name+"_p99_us"] = p99(&all)
	details[name+"_per_s"] = rate(&all)
	// of the whole process, including an embedded etcd
	details[name+"_allocs_per_op"] = float64(all.allocations) / count
	details[name+"_alloc_bytes_per_op"] = float64(all.bytes) / count
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
