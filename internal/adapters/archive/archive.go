package archive

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

const (
	// maxBatchLines and maxBatchBytes bound one write of the file and one request of the webhook.
	// A line that is longer has a batch of its own.
	maxBatchLines = 200
	maxBatchBytes = 4 << 20
	// batchTimeout bounds the requests for one batch.
	batchTimeout = 30 * time.Second
)

// Config configures an Archive. File, URL or both are required.
type Config struct {
	// File is the path of the files; games.ndjson becomes games-2026-11-30.ndjson. Its directory
	// must exist.
	File string
	// URL receives the lines by POST. It may contain secrets, so it is never logged.
	URL string
	// Store is the identity of the store, which is part of the id of a line.
	Store string
	// Transport sends the requests. Default: one without a proxy.
	Transport http.RoundTripper
	// Clock is the clock of the node. Default time.Now.
	Clock func() time.Time
	// Logger receives a line when the archive starts to fail, and one when it works.
	Logger *slog.Logger
}

// Archive is a ports.Archive in files, at an HTTP endpoint, or both. It is safe for concurrent use.
type Archive struct {
	cfg     Config
	file    *file    // nil for none
	webhook *webhook // nil for none

	mu      sync.Mutex // guards the following field
	pending *batch     // collects lines; nil if no line waits

	commits   sync.WaitGroup
	storing   sync.Mutex // locked while a batch is stored
	isFailing bool       // guarded by storing; the log has that

	archived, failures atomic.Int64
}

var _ ports.Archive = (*Archive)(nil)

// batch is lines that are stored together.
type batch struct {
	lines [][]byte
	bytes int
	done  chan struct{} // closed when errs is set
	errs  []error       // one per line
}

// Open opens the archive. It returns an error for a file that other users can change or that
// another process uses, and for an invalid URL. The caller must call Close.
func Open(cfg Config) (*Archive, error) {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	a := &Archive{cfg: cfg}
	var err error
	if cfg.URL != "" {
		if a.webhook, err = newWebhook(cfg.URL, cfg.Transport); err != nil {
			return nil, err
		}
	}
	if cfg.File != "" {
		if a.file, err = openFile(cfg.File); err != nil {
			return nil, fmt.Errorf("open the archive %s: %w", cfg.File, err)
		}
	}
	return a, nil
}

// Close waits for the batches in progress. Store must not be called after it.
func (a *Archive) Close() error {
	a.commits.Wait()
	if a.webhook != nil {
		a.webhook.client.CloseIdleConnections()
	}
	if a.file != nil {
		return a.file.close()
	}
	return nil
}

// Store implements ports.Archive.
func (a *Archive) Store(ctx context.Context, game ports.ArchivedGame) error {
	encoded, err := encode(a.cfg.Store, game, a.cfg.Clock())
	if err != nil {
		return fmt.Errorf("%w: %w", runtime.ErrNotArchived, err)
	}
	b, i, err := a.enqueue(ctx, encoded)
	if err != nil {
		return err
	}
	select {
	case <-b.done:
		return b.errs[i]
	case <-ctx.Done():
		return fmt.Errorf("%w in time: %w", runtime.ErrNotArchived, ctx.Err())
	}
}

// enqueue adds a line to the pending batch, and returns that batch and the index of the line. It
// waits while the pending batch is full.
func (a *Archive) enqueue(ctx context.Context, encoded []byte) (*batch, int, error) {
	for {
		b, i, isAdded := a.tryEnqueue(encoded)
		if isAdded {
			return b, i, nil
		}
		select {
		case <-b.done:
		case <-ctx.Done():
			return nil, 0, fmt.Errorf("%w in time: %w", runtime.ErrNotArchived, ctx.Err())
		}
	}
}

// tryEnqueue adds a line to the pending batch unless that is full, and returns the batch.
func (a *Archive) tryEnqueue(encoded []byte) (_ *batch, index int, isAdded bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.pending == nil {
		a.pending = &batch{done: make(chan struct{})}
		a.commits.Go(a.commit)
	}
	b := a.pending
	if len(b.lines) == maxBatchLines || len(b.lines) > 0 && b.bytes+len(encoded) > maxBatchBytes {
		return b, 0, false
	}
	b.lines, b.bytes = append(b.lines, encoded), b.bytes+len(encoded)
	return b, len(b.lines) - 1, true
}

// commit stores the pending batch once the previous one is stored.
func (a *Archive) commit() {
	a.storing.Lock()
	defer a.storing.Unlock()
	a.mu.Lock()
	b := a.pending
	a.pending = nil
	a.mu.Unlock()
	b.errs = a.store(b.lines)
	a.record(b.errs)
	close(b.done)
}

// store stores the lines, and returns the error of each. The endpoint gets them first, because it
// fails more often: the file then has few lines of games that were not deleted.
func (a *Archive) store(lines [][]byte) []error {
	errs := make([]error, len(lines))
	if a.webhook != nil {
		ctx, cancel := context.WithTimeout(context.Background(), batchTimeout)
		defer cancel()
		errs = a.webhook.send(ctx, lines)
	}
	if a.file != nil {
		a.appendAccepted(lines, errs)
	}
	for i, err := range errs {
		if err != nil {
			errs[i] = fmt.Errorf("%w: %w", runtime.ErrNotArchived, err)
		}
	}
	return errs
}

// appendAccepted appends the lines without an error to the file, and sets the errors of those if
// that fails.
func (a *Archive) appendAccepted(lines [][]byte, errs []error) {
	var accepted []byte
	for i, l := range lines {
		if errs[i] == nil {
			accepted = append(accepted, l...)
		}
	}
	if len(accepted) == 0 {
		return
	}
	if err := a.file.append(accepted, a.cfg.Clock()); err != nil {
		for i := range errs {
			errs[i] = cmp.Or(errs[i], err)
		}
	}
}

// record counts the results of a batch, and logs the first failure and the end of failures.
func (a *Archive) record(errs []error) {
	var failure error
	for _, err := range errs {
		if err == nil {
			a.archived.Add(1)
			continue
		}
		a.failures.Add(1)
		failure = err
	}
	switch {
	case failure != nil && !a.isFailing:
		a.cfg.Logger.Error("the archive does not accept games; they are not deleted", "error", failure)
	case failure == nil && a.isFailing:
		a.cfg.Logger.Info("the archive accepts games")
	}
	a.isFailing = failure != nil
}

// Stats are the counts of an Archive.
type Stats struct {
	// Archived are the games that were stored, Failures those that were not.
	Archived, Failures int64
}

// Stats returns the counts since Open.
func (a *Archive) Stats() Stats {
	return Stats{Archived: a.archived.Load(), Failures: a.failures.Load()}
}
