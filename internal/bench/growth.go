package bench

import (
	"context"
	"fmt"
	"math"
	"time"
)

const (
	minGrowthSize = 1000
	// maxHeapPerRecord is the target of the cache's size, in bytes per record.
	maxHeapPerRecord = 700
	// maxReadyTime is the target of the time until a store with all records serves reads
	// from its cache.
	maxReadyTime = 10 * time.Second
)

// growthRow returns the row that measures the cost of more records.
func growthRow() rowSpec {
	return rowSpec{
		name: growthName, what: "UpdateStatus, 1 writer, at the most records", against: "at the fewest",
		measure: measureGrowth,
	}
}

// growthSizes returns the powers of ten from minGrowthSize below the number of records,
// and that number.
func growthSizes(records int) []int {
	var all []int
	for size := minGrowthSize; size < records; size *= 10 {
		all = append(all, size)
	}
	return append(all, records)
}

func measureGrowth(ctx context.Context, r *runner) (Row, error) {
	target := target{limit: 1.3, condition: fmt.Sprintf("≤ %d heap bytes per record, ready in ≤ %s", maxHeapPerRecord, maxReadyTime)}
	row := Row{Sides: [2]string{SideStore, "fewest-records"}, Unit: UnitMicroseconds, Target: target.String(), Details: map[string]float64{}}
	var first, last []Round
	for i, size := range growthSizes(r.options.Records) {
		rounds, err := r.measureSize(ctx, size, row.Details)
		if err != nil {
			return Row{}, fmt.Errorf("with %d records: %w", size, err)
		}
		if last = rounds; i == 0 {
			first = rounds
		}
	}
	small, large := figuresOf(first, measuredSide, mean), figuresOf(last, measuredSide, mean)
	row.Measured, row.Baseline = median(large), median(small)
	if row.Baseline <= 0 {
		return Row{}, errZeroFigure
	}
	row.Ratio = row.Measured / row.Baseline
	row.Spread = [2]float64{math.Inf(1), 0}
	for _, l := range large {
		for _, s := range small {
			row.Spread = [2]float64{min(row.Spread[0], l/s), max(row.Spread[1], l/s)}
		}
	}
	heap := row.Details[fmt.Sprintf("heap_bytes_per_record_at_%d", r.options.Records)]
	ready := row.Details[fmt.Sprintf("ready_ms_at_%d", r.options.Records)]
	row.Reached = target.isReached(row) && heap <= maxHeapPerRecord && ready <= float64(maxReadyTime.Milliseconds())
	return row, nil
}

// measureSize fills the store up to the size, reopens it and measures the start and
// updates. It also measures bare transactions, which show the share of etcd.
func (r *runner) measureSize(ctx context.Context, size int, details map[string]float64) ([]Round, error) {
	detail := func(name string, value float64) { details[fmt.Sprintf("%s_at_%d", name, size)] = value }
	if err := r.load(ctx, size); err != nil {
		return nil, err
	}
	r.closeStore()
	before, start := heapInUse(), time.Now()
	if err := r.reopenStore(ctx); err != nil {
		return nil, err
	}
	if err := r.waitForCache(ctx); err != nil {
		return nil, err
	}
	detail("ready_ms", float64(time.Since(start))/float64(time.Millisecond))
	detail("heap_bytes_per_record", max(0, heapInUse()-before)/float64(r.recordCount()))

	measured, baseline := r.updateWorkloads(1)
	rounds, err := r.runRounds(ctx, fmt.Sprintf("%s with %d records", growthName, size), measured, baseline)
	if err != nil {
		return nil, err
	}
	detail("update_us", median(figuresOf(rounds, measuredSide, mean)))
	detail("bare_us", median(figuresOf(rounds, baselineSide, mean)))

	parallel, _ := r.updateWorkloads(growthWriters)
	side, err := parallel.measure(ctx, r.cluster, r.options.Duration/maxRounds)
	if err != nil {
		return nil, err
	}
	detail(fmt.Sprintf("update_per_s_by_%d_writers", growthWriters), rate(side))
	return rounds, nil
}
