package lifecycle

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

// secretVersions returns the present versions of the secrets of a game, as a label of its
// container. It fails with secret.ErrUnresolved unless all of them can be provided, so that
// nothing is created for a game that cannot start.
func (s *Service) secretVersions(ctx context.Context, gameID string, names []string) (string, error) {
	if len(names) == 0 {
		return "", nil
	}
	if s.deps.Secrets == nil {
		return "", fmt.Errorf("%w: %w", secret.ErrUnresolved, secret.ErrNoKeys)
	}
	env, err := s.deps.Secrets.ResolveSecrets(ctx, gameID, names)
	if err != nil {
		return "", fmt.Errorf("secrets of game %q: %w", gameID, err)
	}
	return secret.EncodeVersions(env.Versions), nil
}

// secretsToStart returns the present versions of the secrets that the game has after the
// request. It returns those of the container if the request starts nothing.
func (s *Service) secretsToStart(ctx context.Context, request ports.OperationRequest, state gameState) (string, error) {
	spec := state.intent.Spec
	switch request.Kind {
	case operation.KindStart:
		if state.container == container.StateRunning {
			return state.containerSecrets, nil
		}
		if request.Spec != nil {
			spec = *request.Spec
		}
	case operation.KindPatch:
		if request.Spec != nil {
			spec = *request.Spec
		}
	case operation.KindRestart:
	default:
		return state.containerSecrets, nil
	}
	if state.record == nil && request.Kind != operation.KindStart {
		return "", nil // plan rejects the request
	}
	return s.secretVersions(ctx, request.GameID, spec.Secrets)
}
