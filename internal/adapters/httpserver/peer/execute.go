package peer

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Patch runs a patch of a game on the node, in the name of the identity in ctx, and waits for its
// outcome. A failed patch returns its outcome with the error. An error that errors.Is
// runtime.ErrOutcomeUnknown means that the patch may continue; a repeated call with the same
// operation id joins it.
func (c *Client) Patch(ctx context.Context, target node.Node, request ports.OperationRequest) (operation.Outcome, error) {
	var result api.OperationResult
	err := c.do(ctx, target, call{
		method: http.MethodPost, path: gamePath(request.GameID) + "/" + string(operation.KindPatch),
		body:   api.PatchRequest{Image: request.Image, Spec: request.Spec, Force: request.Force, Pull: request.Pull},
		origin: request.Origin, isValid: func() bool { return result.Outcome != nil && result.GameID == request.GameID }, want: "the outcome of the patch",
	}, &result)
	var problem *api.Problem
	switch {
	case err == nil:
		return *result.Outcome, nil
	case !errors.As(err, &problem):
		return operation.Outcome{}, err
	case problem.Outcome != nil:
		return *problem.Outcome, problemError(problem)
	}
	return operation.Outcome{}, problemError(problem)
}

// problemError returns the error of the domain that a problem reports, as far as the caller of an
// operation acts on it.
func problemError(problem *api.Problem) error {
	for target, codes := range map[error][]api.Code{
		runtime.ErrNotFound:       {api.CodeNotFound},
		runtime.ErrInvalid:        {api.CodeInvalid},
		runtime.ErrOutcomeUnknown: {api.CodeOutcomeUnknown},
		runtime.ErrLimited:        {api.CodeRateLimited, api.CodeTooManyOperations},
		runtime.ErrUnavailable:    {api.CodeUnavailable, api.CodeAuditUnavailable, api.CodeRequestTimeout},
		runtime.ErrReadOnly:       {api.CodeReadOnly},
		operation.ErrBusy:         {api.CodeBusy},
		operation.ErrRejected:     {api.CodeRejected},
		operation.ErrPreempted:    {api.CodePreempted},
		operation.ErrCanceled:     {api.CodeCanceled},
		node.ErrUnreachable:       {api.CodeNodeUnreachable},
		node.ErrMisrouted:         {api.CodeMisrouted},
		access.ErrForbidden:       {api.CodeForbidden},
		access.ErrUnauthenticated: {api.CodeUnauthenticated},
	} {
		for _, code := range codes {
			if problem.Code == code {
				return fmt.Errorf("%w: %w", target, problem)
			}
		}
	}
	return problem
}
