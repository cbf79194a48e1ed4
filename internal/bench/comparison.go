package bench

import (
	"context"
	"errors"
	"slices"
	"time"
)

// Rounds of a comparison. The workloads alternate, so that noise of the machine is likely
// to affect both.
const (
	maxRounds = 7
	minRounds = 5 // if rounds take long
)

// comparison compares two workloads by one figure of their samples.
type comparison struct {
	name, what, against string
	unit                string
	figure              func(*sample) float64
	// isInverse makes the ratio baseline to measured: how many times faster.
	isInverse bool
	target    targetFunc
	workloads func(context.Context, *runner) (measured, baseline workload, err error)
}

// roundSamples holds the samples of both workloads, one of each per round.
type roundSamples struct {
	measured, baseline []*sample
	workers            [2]int // of measured and baseline
}

func (c comparison) measure(ctx context.Context, r *runner) (Row, error) {
	measured, baseline, err := c.workloads(ctx, r)
	if err != nil {
		return Row{}, err
	}
	samples, err := r.runRounds(ctx, c.name, measured, baseline)
	if err != nil {
		return Row{}, err
	}
	if err := r.profileBoth(ctx, c.name, measured, baseline); err != nil {
		return Row{}, err
	}
	return c.newRow(r.cluster, r.options, samples)
}

// runRounds measures the workloads alternately, after a short warm-up of each.
func (r *runner) runRounds(ctx context.Context, name string, measured, baseline workload) (roundSamples, error) {
	slice := r.options.Duration / maxRounds
	for _, s := range []workload{measured, baseline} {
		if _, err := s.measure(ctx, r.cluster, slice/4); err != nil {
			return roundSamples{}, err
		}
	}
	samples := roundSamples{workers: [2]int{len(measured.workers), len(baseline.workers)}}
	start := time.Now()
	for round := range maxRounds {
		if round >= minRounds && time.Since(start) > 4*r.options.Duration {
			break
		}
		r.progress(Progress{Activity: name, Done: round, Total: maxRounds})
		a, b, err := r.measureBoth(ctx, measured, baseline, round)
		if err != nil {
			return roundSamples{}, err
		}
		samples.measured, samples.baseline = append(samples.measured, &a), append(samples.baseline, &b)
	}
	return samples, nil
}

// measureBoth measures one round. The side that is first alternates, because the first one
// of a round may pay for what the last one of the round before has left.
func (r *runner) measureBoth(ctx context.Context, measured, baseline workload, round int) (a, b sample, err error) {
	slice := r.options.Duration / maxRounds
	sides := []func() error{
		func() (err error) { a, err = measured.measure(ctx, r.cluster, slice); return err },
		func() (err error) { b, err = baseline.measure(ctx, r.cluster, slice); return err },
	}
	if round%2 == 1 {
		slices.Reverse(sides)
	}
	for _, measure := range sides {
		if err := measure(); err != nil {
			return sample{}, sample{}, err
		}
	}
	return a, b, nil
}

// errZeroFigure is the error of a figure without a ratio.
var errZeroFigure = errors.New("a measurement is 0; use a longer --duration")

// newRow returns the row of the samples. The ratio is the median of those of the rounds.
func (c comparison) newRow(cluster Cluster, options Options, samples roundSamples) (Row, error) {
	measured, baseline := c.figures(samples.measured), c.figures(samples.baseline)
	row := Row{Measured: median(measured), Baseline: median(baseline), Unit: c.unit, Details: map[string]float64{}}
	if row.Measured <= 0 || row.Baseline <= 0 || slices.Min(measured) <= 0 || slices.Min(baseline) <= 0 {
		return Row{}, errZeroFigure
	}
	row.Rounds = c.newRounds(samples)
	row.CPU, row.EtcdCPU = newCPU(row.Rounds, processCPU), newCPU(row.Rounds, etcdCPU)
	ratios := make([]float64, len(row.Rounds))
	for i, round := range row.Rounds {
		ratios[i] = round.Ratio
	}
	row.Ratio, row.Spread = median(ratios), spreadOf(ratios)
	target := c.target(cluster, options)
	row.Target, row.Reached = target.String(), target.isReached(row)
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
		all.cpu = all.cpu.plus(s.cpu)
	}
	count := float64(max(all.latencies.count, 1))
	details[name+"_ops"] = float64(all.latencies.count)
	details[name+"_mean_us"] = mean(&all)
	details[name+"_p50_us"] = microseconds(all.latencies.quantile(0.5))
	details[name+"_p99_us"] = p99(&all)
	details[name+"_per_s"] = rate(&all)
	details[name+"_cpu_us_per_op"] = microseconds(all.cpu.process) / count
	if all.cpu.etcd > 0 {
		details[name+"_etcd_cpu_us_per_op"] = microseconds(all.cpu.etcd) / count
	}
	// of the whole process, including an embedded etcd
	details[name+"_allocs_per_op"] = float64(all.allocations) / count
	details[name+"_alloc_bytes_per_op"] = float64(all.bytes) / count
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
