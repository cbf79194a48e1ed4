package progress

import (
	"fmt"
	"io"
	"time"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
)

// Bench prints the progress of a benchmark.
type Bench struct {
	Out io.Writer
	// IsTerminal reports whether Out is a terminal. Then progress rewrites one line.
	IsTerminal bool
	// Headline is printed first.
	Headline string

	activity      string
	activityStart time.Time
}

// Report prints the progress.
func (b *Bench) Report(p bench.Progress) {
	if b.Headline != "" {
		fmt.Fprintf(b.Out, "rtmanager: bench: %s\n", render.Printable(b.Headline))
		b.Headline = ""
	}
	switch {
	case b.IsTerminal:
		b.redraw(p)
	case p.Finished != nil:
		fmt.Fprintf(b.Out, "rtmanager: bench: %s\n", output.BenchRow(*p.Finished))
	case p.Activity != b.activity:
		fmt.Fprintf(b.Out, "rtmanager: bench: %s …\n", render.Printable(p.Activity))
	}
	b.activity = p.Activity
}

func (b *Bench) redraw(p bench.Progress) {
	if p.Activity != b.activity {
		b.activityStart = time.Now()
	}
	text := render.Printable(p.Activity)
	if p.Total > 0 {
		text += fmt.Sprintf(" %d of %d", p.Done, p.Total)
	}
	if p.Finished != nil {
		text = output.BenchRow(*p.Finished)
	}
	fmt.Fprintf(b.Out, clearLine+"rtmanager: bench: %s (%s)", text, render.Age(time.Since(b.activityStart)))
}

// Close erases the rewritten line.
func (b *Bench) Close() {
	if b.IsTerminal {
		fmt.Fprint(b.Out, clearLine)
	}
}
