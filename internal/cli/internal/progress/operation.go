package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/operation"
)

// maxLineChars bounds the rewritten line, so that it does not wrap.
const maxLineChars = 60

// OperationConfig are the settings of an Operation.
type OperationConfig struct {
	Out io.Writer
	Now func() time.Time
	// IsQuiet suppresses all output. It must be set unless Out is a terminal, because progress
	// rewrites one line.
	IsQuiet bool
}

// Operation prints the progress of an operation. It is safe for concurrent use.
type Operation struct {
	cfg OperationConfig

	mu        sync.Mutex // guards the fields below
	last      operation.Progress
	stepStart time.Time // when the last step was first reported
	hasLine   bool      // there is a line to rewrite

	stop   chan struct{}
	ticker sync.WaitGroup
}

// NewOperation returns a printer of progress. The caller must call Close.
func NewOperation(cfg OperationConfig) *Operation {
	o := &Operation{cfg: cfg, stop: make(chan struct{})}
	if !cfg.IsQuiet {
		o.ticker.Go(o.redrawEverySecond)
	}
	return o
}

// redrawEverySecond updates the duration on the line.
func (o *Operation) redrawEverySecond() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			o.mu.Lock()
			o.redraw()
			o.mu.Unlock()
		case <-o.stop:
			return
		}
	}
}

// Report prints the progress.
func (o *Operation) Report(p operation.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if p.Step != o.last.Step {
		o.stepStart = o.cfg.Now()
	}
	o.last = p
	if !o.cfg.IsQuiet {
		o.redraw()
	}
}

// redraw rewrites the line. mu must be held.
func (o *Operation) redraw() {
	if o.last.Step == "" {
		return
	}
	o.hasLine = true
	fmt.Fprintf(o.cfg.Out, clearLine+"%s %s: %s", o.last.Kind, render.Value(o.last.GameID),
		render.Truncate(stepText(o.last, o.cfg.Now().Sub(o.stepStart)), maxLineChars))
}

// Close erases the rewritten line. The caller calls it once, after the last Report.
func (o *Operation) Close() {
	close(o.stop)
	o.ticker.Wait()
	if o.hasLine {
		fmt.Fprint(o.cfg.Out, clearLine)
	}
}

// HasStarted reports whether the operation has reported progress. Such an operation
// continues without this client.
func (o *Operation) HasStarted() bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.last.Step != ""
}

// stepText describes the step, and its duration if there is no better detail.
func stepText(p operation.Progress, duration time.Duration) string {
	text := strings.ReplaceAll(string(p.Step), "_", " ")
	switch {
	case p.Step == operation.StepAwaitingHealth:
		text = "waiting for health"
	case p.BytesTotal > 0:
		return render.Printable(fmt.Sprintf("%s %s/%s MB", text, megabytes(p.BytesDone), megabytes(p.BytesTotal)))
	case p.BytesDone > 0:
		return render.Printable(fmt.Sprintf("%s %s MB", text, megabytes(p.BytesDone)))
	case p.Text != "":
		return render.OneLine(text + ": " + p.Text)
	}
	if duration >= time.Second {
		text += " " + render.Age(duration)
	}
	return render.Printable(text)
}

// megabytes returns the number of MB with one decimal, which it omits if it is 0.
func megabytes(bytes int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(bytes)/1e6), ".0")
}
