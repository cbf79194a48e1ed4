package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// progressTalk tells on standard error how an operation is coming along: on a
// terminal in one line that is rewritten, elsewhere in a line for each step.
type progressTalk struct {
	out     io.Writer
	now     func() time.Time
	quiet   bool
	rewrite bool

	mu    sync.Mutex // guards what follows
	last  operation.Progress
	since time.Time // when that step was first heard of
	shown bool      // there is a line to rewrite
	stop  chan struct{}
	done  sync.WaitGroup
}

func (a *app) progress(quiet bool) *progressTalk {
	t := &progressTalk{out: a.streams.Err, now: a.streams.Now, quiet: quiet, rewrite: a.streams.ErrTerminal, stop: make(chan struct{})}
	if t.rewrite && !quiet {
		t.done.Go(t.tick)
	}
	return t
}

// tick lets the line show that time goes by.
func (t *progressTalk) tick() {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			t.mu.Lock()
			t.show()
			t.mu.Unlock()
		case <-t.stop:
			return
		}
	}
}

// report hears of the operation.
func (t *progressTalk) report(p operation.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	news := p.Step != t.last.Step
	if news {
		t.since = t.now()
	}
	t.last = p
	switch {
	case t.quiet:
	case t.rewrite:
		t.show()
	case news:
		fmt.Fprintf(t.out, "rtmanager: %s %s: %s\n", p.Kind, plain(p.GameID), progressText(p, 0))
	}
}

// show rewrites the line. The caller holds mu.
func (t *progressTalk) show() {
	if t.last.Step == "" {
		return
	}
	t.shown = true
	fmt.Fprintf(t.out, "\r\x1b[K%s %s: %s", t.last.Kind, plain(t.last.GameID), clip(progressText(t.last, t.now().Sub(t.since)), 60))
}

// end takes the line away. It is called once, when nothing more is reported.
func (t *progressTalk) end() {
	close(t.stop)
	t.done.Wait()
	if t.shown {
		fmt.Fprint(t.out, "\r\x1b[K")
	}
}

// begun reports whether the operation was heard of, so that it goes on.
func (t *progressTalk) begun() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last.Step != ""
}

// progressText says what an operation is doing, and for how long where that is
// what there is to say.
func progressText(p operation.Progress, taking time.Duration) string {
	text := strings.ReplaceAll(string(p.Step), "_", " ")
	switch {
	case p.Step == operation.StepAwaitingHealth:
		text = "waiting for health"
	case p.BytesTotal > 0:
		return printable(fmt.Sprintf("%s %s/%s MB", text, megabytes(p.BytesDone), megabytes(p.BytesTotal)))
	case p.BytesDone > 0:
		return printable(fmt.Sprintf("%s %s MB", text, megabytes(p.BytesDone)))
	case p.Text != "":
		return strings.ReplaceAll(printable(text+": "+p.Text), "\n", " ")
	}
	if taking >= time.Second {
		text += " " + age(taking)
	}
	return printable(text)
}

// megabytes leaves out a fraction that says nothing.
func megabytes(bytes int64) string {
	return strings.TrimSuffix(fmt.Sprintf("%.1f", float64(bytes)/1e6), ".0")
}
