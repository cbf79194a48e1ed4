package auditlog

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/ports"
)

// tickInterval is how often the log retries a failed file and checks the window of denied
// events.
const tickInterval = time.Second

// Log passes events to a file and a webhook. It implements ports.AuditLog.
type Log struct {
	file    *File
	webhook *Webhook
	denied  deniedCounter

	events, failures, counted atomic.Int64
}

var _ ports.AuditLog = (*Log)(nil)

// New returns a log. file and webhook may be nil. The log works while Run runs.
func New(file *File, webhook *Webhook) *Log { return &Log{file: file, webhook: webhook} }

// Check implements ports.AuditLog. A webhook does not fail it.
func (l *Log) Check() error {
	if l.file == nil {
		return nil
	}
	return l.file.Check()
}

// Append implements ports.AuditLog.
func (l *Log) Append(ctx context.Context, event audit.Event) error {
	isDenied := event.Outcome == audit.OutcomeDenied
	// A stored start needs its end: a start without one is that of a request that a crash has ended.
	if isDenied && !event.HasStart && !l.denied.admit(event, time.Now()) {
		l.counted.Add(1)
		return nil
	}
	line := encode(event)
	if l.webhook != nil {
		l.webhook.enqueue(line)
	}
	if l.file == nil {
		l.events.Add(1)
		return nil
	}
	var err error
	if isDenied {
		_, err = l.file.enqueue(line)
	} else {
		err = l.file.Append(ctx, line)
	}
	if err != nil {
		l.failures.Add(1)
		return err
	}
	l.events.Add(1)
	return nil
}

// Run retries failed writes, stores the counts of denied events and sends to the webhook,
// until ctx ends. Then it stores and sends the last events. The caller closes the file
// after that.
func (l *Log) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	if l.webhook != nil {
		wg.Go(func() { l.webhook.run(sending) })
	}
	ticker := time.NewTicker(tickInterval)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
			if l.file != nil {
				l.file.retry()
			}
			l.appendCounts(sending, false)
		case <-ctx.Done():
			l.appendCounts(sending, true)
			stop()
			wg.Wait()
			return nil
		}
	}
}

// appendCounts stores one event for each source of denied events that were only counted.
func (l *Log) appendCounts(ctx context.Context, isClosing bool) {
	for _, event := range l.denied.flush(time.Now(), isClosing) {
		line := encode(event)
		if l.webhook != nil {
			l.webhook.enqueue(line)
		}
		if l.file == nil {
			continue
		}
		if isClosing {
			_ = l.file.Append(ctx, line) // the file has logged its failure
		} else {
			_, _ = l.file.enqueue(line)
		}
	}
}

// Stats are counts since the log was created.
type Stats struct {
	// IsAvailable reports whether Check returns nil.
	IsAvailable bool
	// Events were stored or queued, Failures returned an error, and Counted are denied events
	// that are represented by another event.
	Events, Failures, Counted int64
	// WebhookSent and WebhookDropped count the events of the webhook.
	WebhookSent, WebhookDropped int64
}

// Stats returns the current counts.
func (l *Log) Stats() Stats {
	s := Stats{IsAvailable: l.Check() == nil, Events: l.events.Load(), Failures: l.failures.Load(), Counted: l.counted.Load()}
	if l.webhook != nil {
		s.WebhookSent, s.WebhookDropped = l.webhook.sent.Load(), l.webhook.dropped.Load()
	}
	return s
}
