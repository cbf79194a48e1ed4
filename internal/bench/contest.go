package bench

import (
	"context"
	"errors"
	"math"
	"slices"
	"time"
)

// Rounds of a contest. The machine's noise comes and goes, so the two sides
// take turns, and whatever hits one is likely to hit the other.
const (
	rounds      = 7
	leastRounds = 3 // where a round takes long
)

// contest compares two sides by one figure of theirs.
type contest struct {
	name, what, against string
	unit                string
	of                  func(*sample) float64
	// inverse makes the ratio theirs to ours: how many times faster.
	inverse bool
	goal    func(Options) goal
	sides   func(context.Context, *rig) (ours, theirs side, err error)
}

// turns are the samples of both sides, round by round.
type turns struct{ ours, theirs []*sample }

func (c contest) measure(ctx context.Context, r *rig) (Row, error) {
	ours, theirs, err := c.sides(ctx, r)
	if err != nil {
		return Row{}, err
	}
	taken, err := r.takeTurns(ctx, c.name, ours, theirs)
	if err != nil {
		return Row{}, err
	}
	return c.judge(r.options, taken)
}

// takeTurns measures the sides in turn, after one turn each that does not count.
func (r *rig) takeTurns(ctx context.Context, name string, ours, theirs side) (turns, error) {
	slice := r.options.Duration / rounds
	for _, s := range []side{ours, theirs} {
		if _, err := s.measure(ctx, slice/4); err != nil {
			return turns{}, err
		}
	}
	var taken turns
	began := time.Now()
	for round := range rounds {
		if round >= leastRounds && time.Since(began) > 4*r.options.Duration {
			break
		}
		r.progress(Progress{Doing: name, Done: round, Total: rounds})
		a, err := ours.measure(ctx, slice)
		if err != nil {
			return turns{}, err
		}
		b, err := theirs.measure(ctx, slice)
		if err != nil {
			return turns{}, err
		}
		taken.ours, taken.theirs = append(taken.ours, &a), append(taken.theirs, &b)
	}
	return taken, nil
}

// errNothing is about a figure that no ratio can be made of.
var errNothing = errors.New("a measurement came out as nothing; use a longer --duration")

// judge makes the row of what was measured. The ratio is that of the medians.
func (c contest) judge(options Options, taken turns) (Row, error) {
	ours, theirs := c.figures(taken.ours), c.figures(taken.theirs)
	row := Row{Ours: median(ours), Theirs: median(theirs), Unit: c.unit, Details: map[string]float64{}}
	if row.Ours <= 0 || row.Theirs <= 0 || slices.Min(ours) <= 0 || slices.Min(theirs) <= 0 {
		return Row{}, errNothing
	}
	row.Ratio = c.ratio(row.Ours, row.Theirs)
	row.Spread = [2]float64{math.Inf(1), 0}
	for i := range ours {
		ratio := c.ratio(ours[i], theirs[i])
		row.Spread = [2]float64{min(row.Spread[0], ratio), max(row.Spread[1], ratio)}
	}
	wanted := c.goal(options)
	row.Target, row.Reached = wanted.String(), wanted.reached(row.Ratio)
	addDetails(row.Details, "ours", taken.ours)
	addDetails(row.Details, "theirs", taken.theirs)
	return row, nil
}

func (c contest) ratio(ours, theirs float64) float64 {
	if c.inverse {
		return theirs / ours
	}
	return ours / theirs
}

func (c contest) figures(samples []*sample) []float64 {
	figures := make([]float64, len(samples))
	for i, s := range samples {
		figures[i] = c.of(s)
	}
	return figures
}

// addDetails adds what all rounds of a side say together.
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
	// Of the whole process: an embedded etcd's are among them.
	details[name+"_allocs_per_op"] = float64(all.allocations) / count
	details[name+"_alloc_bytes_per_op"] = float64(all.bytes) / count
}

// median of a list that is not empty; of an even number the mean of the two in
// the middle.
func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	middle := len(sorted) / 2
	if len(sorted)%2 == 0 {
		return (sorted[middle-1] + sorted[middle]) / 2
	}
	return sorted[middle]
}
