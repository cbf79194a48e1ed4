package lifecycle

import (
	"context"
	"slices"

	"galaxy/rtmanager/internal/domain/operation"
)

// report tells everybody who waits what the operation does now.
func (r *execution) report(p operation.Progress) {
	op := r.op()
	p.OperationID, p.Kind, p.GameID, p.Step, p.At = op.ID, op.Kind, r.gameID, op.Step, r.service.now()
	if r.lastWrite.Revision != 0 {
		record := r.lastWrite.Record.Clone()
		p.Record, p.Revision = &record, r.lastWrite.Revision
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if last := len(r.progress) - 1; last >= 0 && r.progress[last].Step == p.Step && p.BytesTotal > 0 && r.progress[last].BytesTotal > 0 {
		// Of bytes pulled, only the latest count is news.
		r.progress = r.progress[:last]
	}
	r.reports++
	r.progress = append(r.progress, progressEntry{r.reports, p})
	close(r.moved)
	r.moved = make(chan struct{})
}

// watchProgress tells report of everything that the operation does until it is over,
// and returns how it ended. When ctx ends first the operation goes on.
func (r *execution) watchProgress(ctx context.Context, report func(operation.Progress)) (operation.Outcome, error) {
	select {
	case <-r.accepted:
	case <-r.done:
	case <-ctx.Done():
		return operation.Outcome{}, ctx.Err()
	}
	told := 0
	for {
		over := false
		select {
		case <-r.done:
			over = true
		default:
		}
		news, moved := r.progressAfter(told)
		for _, p := range news {
			if report != nil {
				report(p.Progress)
			}
			told = p.number
		}
		if over {
			r.mu.Lock()
			defer r.mu.Unlock()
			return r.outcome.Clone(), r.err
		}
		select {
		case <-moved:
		case <-r.done:
		case <-ctx.Done():
			return operation.Outcome{}, ctx.Err()
		}
	}
}

// progressEntry is a report with its number, which tells who has heard it.
type progressEntry struct {
	number int
	operation.Progress
}

// progressAfter returns the reports after the one of this number, and what is closed when
// there are more.
func (r *execution) progressAfter(number int) ([]progressEntry, <-chan struct{}) {
	r.mu.Lock()
	defer r.mu.Unlock()
	first := slices.IndexFunc(r.progress, func(p progressEntry) bool { return p.number > number })
	if first < 0 {
		return nil, r.moved
	}
	return slices.Clone(r.progress[first:]), r.moved
}
