package lifecycle

import (
	"context"
	"fmt"
	"strings"

	"galaxy/rtmanager/internal/domain/operation"
)

// Resume takes up the operation that a daemon before this one has left behind on
// this node, and returns how it ended. It is nothing to do, and no error, when
// there is none, when it is in progress here, or when it is another node's.
func (s *Service) Resume(ctx context.Context, gameID string) (operation.Outcome, error) {
	r := s.newRun(gameID)
	other, err := s.lockGame(r)
	if err != nil || other != nil {
		return operation.Outcome{}, err
	}
	taken, err := s.claimOperation(ctx, r)
	if err != nil || !taken {
		s.unlockGame(r)
		return operation.Outcome{}, err
	}
	r.start()
	return r.watchProgress(ctx, nil)
}

// claimOperation makes the operation this daemon's, by writing its presence into it.
func (s *Service) claimOperation(ctx context.Context, r *execution) (bool, error) {
	found, err := s.Intents.GetIntent(ctx, r.gameID)
	if err != nil {
		return false, fmt.Errorf("read the intent of %q: %w", r.gameID, err)
	}
	op := found.Intent.Current
	if op == nil || !s.isLocal(op.Region, op.Node) {
		return false, nil
	}
	fence, err := s.currentFence()
	if err != nil {
		return false, err
	}
	next := found.Intent.Clone()
	next.Current.Session = fence.CreateRevision
	// Its time begins anew: for how long it lay there is not the operation's fault, and
	// the deadline that it has may be by another node's clock.
	next.Current.Deadline = s.now().Add(s.operationTimeout(*next.Current))
	version, err := s.Intents.PutIntent(ctx, next, found.IntentVersion, fence)
	if err != nil {
		return false, fmt.Errorf("take up operation %s of %q: %w", op.ID, r.gameID, err)
	}
	r.intent, r.version, r.fence = next, version, fence
	return true, nil
}

// truncateUTF8 shortens text to at most so many bytes of whole characters.
func truncateUTF8(text string, most int) string {
	if len(text) <= most {
		return text
	}
	return strings.ToValidUTF8(text[:most], "")
}
