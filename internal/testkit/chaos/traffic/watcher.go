package traffic

import (
	"context"
	"math/rand/v2"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// streamOptions selects the start and the events of a stream.
type streamOptions struct {
	From                 int64
	Status, Region, Game string
	Resync               bool
	// ServerSentEvents selects that format. It resumes from Cursor, the id of the last event that had one.
	ServerSentEvents bool
	Cursor           string
}

// watcher receives the changes of records: one stream after the other. Each resumes where
// the last one ended. It does not act on what it receives.
type watcher struct {
	t       *Traffic
	name    string
	target  target
	rng     *rand.Rand
	options streamOptions
	stream  int
	paused  time.Duration // before each event, of a slow watcher
}

// newWatcher returns a watcher whose filters and speed are random.
func newWatcher(t *Traffic, name string, to target, rng *rand.Rand) *watcher {
	w := &watcher{t: t, name: name, target: to, rng: rng}
	switch rng.IntN(6) {
	case 0:
		w.options.Status = []string{running, stopped, removed}[rng.IntN(3)]
	case 1:
		w.options.Game = t.recordGame(rng.IntN(t.cfg.Games))
	case 2:
		w.options.Region = NoRegion
	}
	w.options.Resync = rng.IntN(4) == 0
	w.options.ServerSentEvents = rng.IntN(2) == 0
	if rng.IntN(3) == 0 {
		w.paused = time.Duration(rng.IntN(int(5 * time.Millisecond)))
	}
	t.setPosition(name, 0) // AwaitWatchers waits for it also if it never receives anything
	return w
}

func (w *watcher) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.runStream(ctx)
		if !pause(ctx, w.rng, 5*w.t.cfg.Pause) {
			return
		}
		if w.rng.IntN(12) == 0 { // a watcher that has lost its position
			w.options.From, w.options.Cursor = 0, ""
		}
	}
}

// runStream records one stream until it ends. Now and then the watcher closes it.
func (w *watcher) runStream(ctx context.Context) {
	w.stream++
	streamCtx, cancel := context.WithCancel(ctx)
	defer cancel()
	remaining := -1
	if w.rng.IntN(2) == 0 {
		remaining = w.rng.IntN(400)
	}
	w.add(recording.Event{
		Type: recording.StreamOpen, Node: w.target.name(), From: w.options.From, Status: w.options.Status, Region: w.options.Region, Of: w.options.Game, Resync: w.options.Resync,
	})
	reason := w.target.watch(streamCtx, w.options, func(event recording.Event, cursor string) bool {
		isPaused := !w.t.isStable() // a late stream must not have a slow consumer as its reason
		if isPaused && w.paused > 0 && !pause(streamCtx, w.rng, w.paused) {
			return false
		}
		w.add(event)
		if event.Last {
			w.options.From, w.options.Cursor = event.Revision, cursor
			w.t.setPosition(w.name, event.Revision)
		}
		if remaining--; isPaused && remaining == 0 && w.rng.IntN(4) == 0 {
			_ = pause(streamCtx, w.rng, time.Second) // a consumer that hangs
			remaining = 200
		}
		return remaining != 0
	})
	if strings.HasPrefix(reason, "410") { // compacted, or of another history
		w.options.From, w.options.Cursor = 0, ""
	}
	w.add(recording.Event{Type: recording.StreamEnd, Reason: reason})
}

func (w *watcher) add(event recording.Event) {
	event.Watcher, event.Stream, event.At = w.name, w.stream, w.t.record.Now()
	w.t.record.Event(event)
}
