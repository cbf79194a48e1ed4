package bench

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	smallestSize = 1000
	// heapPerRecord is how many bytes the store's cache may take for a record.
	heapPerRecord = 1536
)

// growth is the row that shows what it costs to have more records.
func growth() row {
	return row{
		name: growthName, what: "UpdateStatus, 1 writer, at the most records", against: "at the fewest",
		measure: measureGrowth,
	}
}

// sizes are the powers of ten from smallestSize on, and the number of records.
func sizes(records int) []int {
	var all []int
	for size := smallestSize; size < records; size *= 10 {
		all = append(all, size)
	}
	return append(all, records)
}

func measureGrowth(ctx context.Context, r *rig) (Row, error) {
	wanted := goal{limit: 1.3, also: fmt.Sprintf("and ≤ %d heap bytes a record", heapPerRecord)}
	row := Row{Unit: UnitMicroseconds, Target: wanted.String(), Details: map[string]float64{}}
	var first, last turns
	for i, size := range sizes(r.options.Records) {
		taken, err := r.measureSize(ctx, size, row.Details)
		if err != nil {
			return Row{}, fmt.Errorf("with %d records: %w", size, err)
		}
		if last = taken; i == 0 {
			first = taken
		}
	}
	of := contest{of: mean}
	small, large := of.figures(first.ours), of.figures(last.ours)
	row.Ours, row.Theirs = median(large), median(small)
	if row.Theirs <= 0 {
		return Row{}, errNothing
	}
	row.Ratio = row.Ours / row.Theirs
	row.Spread = [2]float64{math.Inf(1), 0}
	for _, l := range large {
		for _, s := range small {
			row.Spread = [2]float64{min(row.Spread[0], l/s), max(row.Spread[1], l/s)}
		}
	}
	heap := row.Details[fmt.Sprintf("heap_bytes_per_record_at_%d", r.options.Records)]
	row.Reached = wanted.reached(row.Ratio) && heap <= heapPerRecord
	return row, nil
}

// measureSize fills the store up to so many records, opens it anew and measures
// what that and updates cost, bare transactions beside them: where those grow
// too, it is etcd that does.
func (r *rig) measureSize(ctx context.Context, size int, details map[string]float64) (turns, error) {
	detail := func(name string, value float64) { details[fmt.Sprintf("%s_at_%d", name, size)] = value }
	if err := r.load(ctx, size); err != nil {
		return turns{}, err
	}
	r.closeStore()
	before, began := heapInUse(), time.Now()
	if err := r.reopen(ctx); err != nil {
		return turns{}, err
	}
	if err := r.awaitReady(ctx); err != nil {
		return turns{}, err
	}
	detail("ready_ms", float64(time.Since(began))/float64(time.Millisecond))
	detail("heap_bytes_per_record", max(0, heapInUse()-before)/float64(r.stored()))

	ours, theirs := r.updateSides(1)
	taken, err := r.takeTurns(ctx, fmt.Sprintf("%s with %d records", growthName, size), ours, theirs)
	if err != nil {
		return turns{}, err
	}
	latency := contest{of: mean}
	detail("update_us", median(latency.figures(taken.ours)))
	detail("bare_us", median(latency.figures(taken.theirs)))

	many, _ := r.updateSides(growthWriters)
	together, err := many.measure(ctx, r.options.Duration/rounds)
	if err != nil {
		return turns{}, err
	}
	detail(fmt.Sprintf("update_per_s_by_%d_writers", growthWriters), rate(&together))
	return taken, nil
}
