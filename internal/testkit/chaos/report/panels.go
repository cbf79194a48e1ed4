package report

import (
	"fmt"
	"math"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// The heights of panels, in pixels.
const (
	rateHeight      = 62
	latencyHeight   = 46
	gapHeight       = 5
	containerHeight = 34
)

// The least gaps that a timeline shows. An operation may take some time without any fault.
const (
	shownGap          = 500 * time.Millisecond
	shownOperationGap = 3 * time.Second
)

// addRates adds the calls per second of a node by outcome.
func (f *figure) addRates(node string, calls intervals, most int) {
	panel, top := f.add("calls per second", rateHeight)
	bottom := top + rateHeight - 4
	panel.Base = px(bottom)
	seconds := calls.length.Seconds()
	panel.addScale(bottom, rateHeight-12, fmt.Sprintf("%.3g", float64(most)/seconds))
	for i, counts := range calls.returned {
		from := time.Duration(i) * calls.length
		parts, y := []string{}, bottom
		for _, outcome := range outcomes {
			count := counts[outcome]
			if count == 0 {
				continue
			}
			height := px(float64(count) / float64(max(most, 1)) * (rateHeight - 12))
			y -= height
			x := f.x(from)
			panel.Shapes = append(panel.Shapes, shape{X: x, Y: px(y), W: px(max(0.8, f.x(from+calls.length)-x-0.8)), H: height, Class: string(outcome)})
			parts = append(parts, fmt.Sprintf("%d %s (%.3g per second)", count, outcomeName(outcome), float64(count)/seconds))
		}
		if len(parts) == 0 {
			parts = []string{"no call returned"}
		}
		title := fmt.Sprintf("%s to %s, %s: %s", formatTime(from), formatTime(from+calls.length), nodeName(node), strings.Join(parts, ", "))
		panel.Hits = append(panel.Hits, f.span(from, from+calls.length, top, rateHeight, "", title))
	}
}

// addScale adds the largest value of a panel to its axis.
func (r *row) addScale(bottom, height float64, largest string) {
	r.Texts = append(r.Texts,
		text{X: labelWidth - 6, Y: px(bottom - height + 8), Class: "scale", Value: largest}, text{X: labelWidth - 6, Y: px(bottom), Class: "scale", Value: "0"})
}

// decades is the range of a logarithmic axis, in powers of ten of a nanosecond.
type decades struct{ low, high float64 }

// include widens the range, so that it has the duration.
func (d *decades) include(value time.Duration) {
	power := math.Log10(float64(max(value, 1)))
	if d.high == 0 {
		d.low, d.high = math.Floor(power), math.Floor(power)+1
	}
	d.low, d.high = min(d.low, math.Floor(power)), max(d.high, math.Ceil(power))
}

// addLatencies adds the latencies of a kind of call at a node, and the gaps below them.
func (f *figure) addLatencies(node string, kind check.CallKind, all []latencies, length time.Duration, scale decades, gaps []gap) {
	panel, top := f.add(kindName(kind)+": latency", latencyHeight)
	bottom, height := top+latencyHeight-gapHeight-3, float64(latencyHeight-gapHeight-9)
	panel.Base = px(bottom)
	panel.Texts = append(panel.Texts,
		text{X: labelWidth - 6, Y: px(bottom - height + 6), Class: "scale", Value: formatDuration(time.Duration(math.Pow(10, scale.high)))},
		text{X: labelWidth - 6, Y: px(bottom), Class: "scale", Value: formatDuration(time.Duration(math.Pow(10, scale.low)))})
	place := func(value time.Duration) float64 {
		return bottom - height*(math.Log10(float64(max(value, 1)))-scale.low)/(scale.high-scale.low)
	}
	xs, median := make([]float64, len(all)), make([]float64, len(all))
	for i, one := range all {
		from := time.Duration(i) * length
		xs[i], median[i] = f.x(from+length/2), math.NaN()
		if one.count == 0 {
			continue
		}
		median[i] = place(one.median)
		x, high := f.x(from), place(one.p99)
		panel.Shapes = append(panel.Shapes,
			shape{X: x, Y: px(high), W: px(max(0.8, f.x(from+length)-x-0.8)), H: px(max(1.5, median[i]-high)), Class: "spread"})
		title := fmt.Sprintf("%s to %s, %s at %s: %d started, median %s, 99th percentile %s, worst %s",
			formatTime(from), formatTime(from+length), kindName(kind), nodeName(node), one.count, formatDuration(one.median), formatDuration(one.p99), formatDuration(one.worst))
		panel.Hits = append(panel.Hits, f.span(from, from+length, top, latencyHeight-gapHeight-2, "", title))
	}
	panel.Paths = append(panel.Paths, path{"median", steps(xs, median, f.x(length)-f.x(0))})
	least := shownGap
	if kind == check.OperationCalls {
		least = shownOperationGap
	}
	for _, g := range gaps {
		if g.length() >= least {
			title := fmt.Sprintf("%s at %s: none served for %s, from %s to %s", kindName(kind), nodeName(node), formatDuration(g.length()), formatTime(g.from), formatTime(g.to))
			panel.Hits = append(panel.Hits, f.span(g.from, g.to, bottom+1, gapHeight, "gap", title))
		}
	}
}

// steps returns a line with a level part of the width at each point.
func steps(xs, ys []float64, width float64) string {
	var places, levels []float64
	for i := range xs {
		places = append(places, xs[i]-width/2, xs[i]+width/2)
		levels = append(levels, ys[i], ys[i])
	}
	return lineOf(places, levels)
}

// addContainers adds the number of containers on a node.
func (f *figure) addContainers(node string, samples []containerSample) {
	if len(samples) == 0 {
		return
	}
	most := 1
	for _, s := range samples {
		most = max(most, len(s.containers))
	}
	panel, top := f.add("containers", containerHeight)
	bottom, height := top+containerHeight-4, float64(containerHeight-12)
	panel.Base = px(bottom)
	panel.addScale(bottom, height, fmt.Sprint(most))
	for i := 0; i < len(samples); {
		next := i + 1
		for next < len(samples) && sameContainers(samples[next].containers, samples[i].containers) {
			next++
		}
		until := f.until
		if next < len(samples) {
			until = samples[next].at
		}
		if samples[i].at > f.until {
			break
		}
		count := len(samples[i].containers)
		title := fmt.Sprintf("from %s to %s, %s: %d containers%s", formatTime(samples[i].at), formatTime(until), nodeName(node), count, containerNames(samples[i].containers))
		level := max(1, height*float64(count)/float64(most))
		panel.Hits = append(panel.Hits, f.span(samples[i].at, until, bottom-level, px(level), "containers", title))
		i = next
	}
}

func sameContainers(a, b []recording.Container) bool {
	if len(a) != len(b) {
		return false
	}
	ids := map[string]bool{}
	for _, c := range a {
		ids[c.ID] = true
	}
	for _, c := range b {
		if !ids[c.ID] {
			return false
		}
	}
	return true
}

// containerNames returns the games and ids of containers as the end of a title.
func containerNames(all []recording.Container) (names string) {
	for i, c := range all {
		if i == 12 {
			return names + " …"
		}
		names += fmt.Sprintf("\n%s %s", c.Game, shorten(c.ID, 13))
	}
	return names
}
