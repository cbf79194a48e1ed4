package rollout

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Limits of a rollout.
const (
	MaxGames    = 10_000
	MaxParallel = 200
)

// Spec is what a rollout does.
type Spec struct {
	Image string `json:"image" required:"true" doc:"The new image of the games"`
	// Force and Pull are those of a patch.
	Force bool `json:"force,omitzero" doc:"Allow an image of another major or minor version, or one whose version cannot be compared"`
	Pull  bool `json:"pull,omitzero" doc:"Pull the image even if the node has it, also for games that have this image"`
	// Selector describes the selected games, for display.
	Selector string `json:"selector,omitempty" doc:"The filters that have selected the games"`
	// MaxParallel is how many games are changed at a time.
	MaxParallel int `json:"max_parallel" doc:"How many games are changed at a time"`
	// MaxUnavailable is how many games of the rollout may be not ready for a further game to be
	// changed, including those being changed; 0 means any number.
	MaxUnavailable int `json:"max_unavailable,omitzero" doc:"How many games of the rollout may be not ready, including those that are being changed; absent means any number"`
	// PauseOnFailure pauses the rollout when the change of a game fails.
	PauseOnFailure bool `json:"pause_on_failure,omitzero" doc:"Whether a game whose change fails pauses the rollout"`
}

// Validate returns every error of the numbers, each a *runtime.InvalidError.
func (s Spec) Validate() error {
	var errs []error
	if s.MaxParallel < 1 || s.MaxParallel > MaxParallel {
		errs = append(errs, &runtime.InvalidError{Field: "max_parallel", Reason: fmt.Sprintf("%d is not from 1 to %d", s.MaxParallel, MaxParallel)})
	}
	if s.MaxUnavailable < 0 || s.MaxUnavailable > MaxGames {
		errs = append(errs, &runtime.InvalidError{Field: "max_unavailable", Reason: fmt.Sprintf("%d is not from 1 to %d, nor 0 for any number", s.MaxUnavailable, MaxGames)})
	}
	return errors.Join(errs...)
}

// Actor is the user that a rollout acts for.
type Actor struct {
	// Name is the actor in the ledger of the games.
	Name string `json:"name,omitempty" doc:"The actor in the history of the games"`
	// Subject, Groups, Method and TokenID are the identity that the user has proven; empty without
	// authentication. Every change is checked against the rights that it has then.
	Subject string   `json:"subject,omitempty" doc:"The identity whose rights every change requires; absent without authentication"`
	Groups  []string `json:"groups,omitempty" nullable:"false" doc:"The groups of that identity"`
	Method  string   `json:"method,omitempty" doc:"How the identity was proven"`
	TokenID string   `json:"token_id,omitempty" doc:"The id of the token of that identity"`
}

func (a Actor) name() string {
	switch {
	case a.Name != "":
		return a.Name
	case a.Subject != "":
		return a.Subject
	}
	return "a user"
}

// Rollout is one rollout without its games.
type Rollout struct {
	ID string `json:"id" doc:"The id of the rollout"`
	Spec
	State State `json:"state" doc:"The state"`
	// IsUndo reports that the previous images are or were restored.
	IsUndo bool `json:"undo,omitzero" doc:"Whether the previous images are restored"`
	// Attempt counts the starts, resumes and undos. A game that has failed in an earlier attempt is
	// retried, unless SkipsFailed.
	Attempt     int  `json:"attempt" doc:"The number of starts, resumes and undos; games that failed in an earlier one are retried"`
	SkipsFailed bool `json:"skips_failed,omitzero" doc:"Whether games that have failed are not retried"`
	// Message is why the rollout is paused, or what it waits for.
	Message string `json:"message,omitempty" doc:"Why the rollout is paused, or what it waits for"`
	// By is the user of the last start, resume or undo.
	By     Actor  `json:"by,omitzero" doc:"The user of the last start, resume or undo"`
	Reason string `json:"reason,omitempty" doc:"The reason that the user gave"`
	// RequestHash identifies the content of the request that has started the rollout.
	RequestHash string     `json:"request_hash,omitempty" doc:"Identifies the content of the request"`
	CreatedAt   time.Time  `json:"created_at" doc:"When the rollout was started"`
	UpdatedAt   time.Time  `json:"updated_at" doc:"When it was last changed"`
	FinishedAt  *time.Time `json:"finished_at,omitempty" doc:"When it ended; absent while it has not"`
	Counts      Counts     `json:"counts" doc:"The number of games in each state"`
	// Revision is the revision of the last write; the stored form does not contain it.
	Revision int64 `json:"revision,omitzero" doc:"The revision of the last change"`
}

// Clone returns a copy that shares no memory with r.
func (r Rollout) Clone() Rollout {
	r.By.Groups = slices.Clone(r.By.Groups)
	if r.FinishedAt != nil {
		at := *r.FinishedAt
		r.FinishedAt = &at
	}
	return r
}

var idEncoding = base32.StdEncoding.WithPadding(base32.NoPadding)

// idLength is the number of characters of an id after its prefix, of 5 bits each.
const idLength = 12

// NewID returns the id of the rollout that a request with the idempotency key starts, and a random
// one for an empty key.
func NewID(idempotencyKey string) string {
	text := rand.Text()
	if idempotencyKey != "" {
		sum := sha256.Sum256([]byte(idempotencyKey))
		text = idEncoding.EncodeToString(sum[:])
	}
	return "ro-" + strings.ToLower(text[:idLength])
}

// maxIDBytes bounds the ids that a store looks up.
const maxIDBytes = 64

// ValidateID returns a *runtime.InvalidError on "rollout_id" for a text that is no id.
func ValidateID(id string) error {
	isPart := func(r rune) bool { return r == '-' || r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }
	if id == "" || len(id) > maxIDBytes || strings.ContainsFunc(id, func(r rune) bool { return !isPart(r) }) {
		return &runtime.InvalidError{Field: "rollout_id", Reason: fmt.Sprintf("%.64q is not the id of a rollout", id)}
	}
	return nil
}
