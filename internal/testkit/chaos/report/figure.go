package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// The widths of a figure, in pixels.
const (
	figureWidth = 1200
	labelWidth  = 236
	rightMargin = 14
	plotWidth   = figureWidth - labelWidth - rightMargin
)

// figure is a drawing of rows that share one time axis.
type figure struct {
	Width, Height float64
	From, To      float64 // the borders of the plot
	PlotWidth     float64
	Until         float64 // the time at its right border, in seconds
	Bands, Grid   []shape // behind all rows
	Rows          []row
	Notes         []string

	until time.Duration
}

// row is one row of a figure.
type row struct {
	Class  string // of the label
	Label  string
	Title  string // the exact text of a label
	LabelY float64
	Base   float64 // the place of the base line, 0 for none
	Texts  []text
	Shapes []shape
	Paths  []path
	Hits   []shape // without a color, above the others: they have the exact values
}

// shape is a rectangle.
type shape struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

// path is a line or an area.
type path struct{ Class, D string }

// text is a short text in a plot.
type text struct {
	X, Y         float64
	Class, Value string
}

func newFigure(until time.Duration) *figure {
	return &figure{Width: figureWidth, From: labelWidth, To: labelWidth + plotWidth, PlotWidth: plotWidth, Until: until.Seconds(), until: until}
}

// px rounds a place to a tenth of a pixel.
func px(value float64) float64 { return math.Round(10*value) / 10 }

// x returns the place of a time.
func (f *figure) x(at time.Duration) float64 {
	share := float64(at) / float64(max(f.until, 1))
	return px(labelWidth + plotWidth*max(0, min(1, share)))
}

// span returns a rectangle from one time to another, which is at least as wide as one can see.
func (f *figure) span(from, to time.Duration, y, height float64, class, title string) shape {
	x := f.x(from)
	return shape{X: x, Y: px(y), W: px(max(1.5, f.x(to)-x)), H: height, Class: class, Title: title}
}

// add appends a row of the height, and returns it with its top.
func (f *figure) add(label string, height float64) (added *row, top float64) {
	top = f.Height
	f.Height = px(f.Height + height)
	f.Rows = append(f.Rows, row{Label: shorten(label, 37), Title: label, LabelY: px(top + height/2 + 4)})
	return &f.Rows[len(f.Rows)-1], top
}

// addHeading appends the heading of a group of rows, with the times of the axis.
func (f *figure) addHeading(label string) {
	f.Height += 10
	heading, top := f.add(label, 20)
	heading.Class = "heading"
	for _, at := range f.ticks() {
		heading.Texts = append(heading.Texts, text{X: f.x(at), Y: px(top + 14), Class: "time", Value: formatSeconds(at)})
	}
}

// ticks returns the times that the axis shows.
func (f *figure) ticks() (all []time.Duration) {
	step := time.Second
	for _, seconds := range []float64{2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400} {
		if f.until > 14*step {
			step = time.Duration(seconds * float64(time.Second))
		}
	}
	for f.until > 20*step {
		step *= 2
	}
	for at := time.Duration(0); at <= f.until; at += step {
		all = append(all, at)
	}
	return all
}

// finish draws what is behind all rows.
func (f *figure) finish() {
	f.Height += 6
	for _, at := range f.ticks() {
		f.Grid = append(f.Grid, shape{X: f.x(at), Y: 0, W: 1, H: f.Height})
	}
}

// lineOf returns the data of a line through points; a NaN interrupts it.
func lineOf(xs, ys []float64) string {
	var b strings.Builder
	isOpen := false
	for i, x := range xs {
		if math.IsNaN(ys[i]) {
			isOpen = false
			continue
		}
		command := "L"
		if !isOpen {
			command = "M"
		}
		isOpen = true
		b.WriteString(command + coordinate(x) + " " + coordinate(ys[i]))
	}
	return b.String()
}

func coordinate(value float64) string { return strconv.FormatFloat(px(value), 'f', -1, 64) }

// formatDuration returns a duration with three digits that matter.
func formatDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		return d.Round(100 * time.Millisecond).String()
	case d >= 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d >= time.Second:
		return fmt.Sprintf("%.2f s", d.Seconds())
	case d >= 10*time.Millisecond:
		return fmt.Sprintf("%.0f ms", 1e3*d.Seconds())
	case d >= time.Millisecond:
		return fmt.Sprintf("%.1f ms", 1e3*d.Seconds())
	default:
		return fmt.Sprintf("%.0f µs", 1e6*d.Seconds())
	}
}

// formatSeconds returns a time of the axis.
func formatSeconds(at time.Duration) string {
	if at < 2*time.Minute {
		return fmt.Sprintf("%.0f s", at.Seconds())
	}
	return strings.TrimSuffix(at.Round(time.Second).String(), "0s")
}

// formatTime returns the time of an event since the start of the run.
func formatTime(at time.Duration) string { return fmt.Sprintf("%.3f s", at.Seconds()) }

// shorten returns at most the number of characters of a text.
func shorten(value string, most int) string {
	if characters := []rune(value); len(characters) > most {
		return string(characters[:most-1]) + "…"
	}
	return value
}
