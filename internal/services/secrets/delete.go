package secrets

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

// maxReportedGames is the number of games that an InUseError names.
const maxReportedGames = 5

// Delete deletes the secret. Unless isForced, it fails with a *secret.InUseError if a game
// that is not removed references the secret. The check and the deletion are not atomic: a game
// that is started in the meantime fails to start, or runs until its next start. The error is
// secret.ErrNotFound if there is no such secret.
func (s *Service) Delete(ctx context.Context, name string, isForced bool, actor string) error {
	if err := secret.ValidateName(name); err != nil {
		return err
	}
	for try := 1; ; try++ {
		found, err := s.get(ctx, name)
		if err != nil {
			return err
		}
		if !isForced {
			if err := s.checkUnused(ctx, name); err != nil {
				return err
			}
		}
		err = s.deps.Store.DeleteSecret(ctx, name, found.Revision)
		switch {
		case errors.Is(err, secret.ErrConflict) && try < maxTries:
			continue
		case errors.Is(err, secret.ErrConflict):
			return contentionError(name)
		case err == nil:
			s.log.Info("secret deleted", "secret", name, "forced", isForced, "actor", actor)
		}
		return err
	}
}

// checkUnused returns a *secret.InUseError if games reference the secret.
func (s *Service) checkUnused(ctx context.Context, name string) error {
	var games []string
	for page, err := range ports.AllPages(ctx, s.deps.Records, ports.PageQuery{}) {
		if err != nil {
			return err
		}
		var ids []string
		for _, found := range page.Records {
			if found.Record.Status != runtime.StatusRemoved {
				ids = append(ids, found.Record.GameID)
			}
		}
		intents, err := s.deps.Intents.GetIntents(ctx, ids)
		if err != nil {
			return err
		}
		for _, stored := range intents {
			if hasReference(stored.Intent, name) {
				games = append(games, stored.Intent.GameID)
			}
		}
		if len(games) >= maxReportedGames {
			break
		}
	}
	if len(games) == 0 {
		return nil
	}
	return &secret.InUseError{Name: name, Games: games[:min(len(games), maxReportedGames)]}
}

// hasReference reports whether the game uses the secret, or is about to.
func hasReference(intent operation.Intent, name string) bool {
	return slices.Contains(intent.Spec.Secrets, name) || intent.Current != nil && slices.Contains(intent.Current.Spec.Secrets, name)
}
