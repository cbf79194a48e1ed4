package etcdstore

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// unknownOutcome is the error of a write whose fate its caller cannot learn any
// more. why is told as text only: it is no second answer beside this one.
func unknownOutcome(ctx context.Context, operationID string, why error) error {
	if ctx.Err() == nil {
		return fmt.Errorf("%w (operation %s): %s", runtime.ErrOutcomeUnknown, operationID, why.Error())
	}
	return fmt.Errorf("%w (operation %s): %w: %s", runtime.ErrOutcomeUnknown, operationID, etcd.ContextError(ctx), why.Error())
}
