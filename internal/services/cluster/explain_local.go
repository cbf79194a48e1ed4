package cluster

import (
	"context"

	"galaxy/rtmanager/internal/domain/drift"
)

// pendingExplanation is this node's explanation of a game, which is in progress.
type pendingExplanation struct {
	cancel      context.CancelFunc
	done        chan struct{}
	explanation drift.Explanation // valid after done is closed
	err         error
}

// startExplaining starts to explain the game on this node: with its containers, or by the
// store alone.
func (s *Service) startExplaining(ctx context.Context, gameID string) *pendingExplanation {
	ctx, cancel := context.WithCancel(ctx)
	p := &pendingExplanation{cancel: cancel, done: make(chan struct{})}
	var explainer = s.deps.Stored
	if s.deps.Local != nil {
		explainer = s.deps.Local
	}
	go func() {
		defer close(p.done)
		defer s.recoverPanic("explain game "+gameID, &p.err)
		if explainer == nil {
			p.err = s.requireEngine()
			return
		}
		p.explanation, p.err = explainer.Explain(ctx, gameID)
	}()
	return p
}

// stop ends the goroutine.
func (p *pendingExplanation) stop() {
	p.cancel()
	<-p.done
}

func (p *pendingExplanation) wait() (drift.Explanation, error) {
	<-p.done
	return p.explanation, p.err
}
