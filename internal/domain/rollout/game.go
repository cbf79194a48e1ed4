package rollout

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// GameState is what a rollout has done with a game.
type GameState string

// The states of a game.
const (
	// GamePending: nothing yet.
	GamePending GameState = "pending"
	// GameUpdating: the patch to the image of the rollout is in progress.
	GameUpdating GameState = "updating"
	// GameUpdated: the game has the image.
	GameUpdated GameState = "updated"
	// GameUnchanged: the game had the image before.
	GameUnchanged GameState = "unchanged"
	// GameFailed: the patch has failed; the game has its previous image.
	GameFailed GameState = "failed"
	// GameSkipped: the game was stopped, removed or deleted, or an undo has found another image.
	GameSkipped GameState = "skipped"
	// GameReverting: the patch to the previous image is in progress.
	GameReverting GameState = "reverting"
	// GameReverted: the game has its previous image.
	GameReverted GameState = "reverted"
	// GameRevertFailed: the patch to the previous image has failed.
	GameRevertFailed GameState = "revert_failed"
)

// IsInProgress reports whether a patch of the game is in progress.
func (s GameState) IsInProgress() bool { return s == GameUpdating || s == GameReverting }

// Game is one game of a rollout.
type Game struct {
	GameID string `json:"game_id" doc:"The game"`
	// Region is the region of the game when the rollout was started.
	Region string    `json:"region,omitempty" doc:"The region of the game when the rollout was started"`
	State  GameState `json:"state" doc:"What the rollout has done with the game"`
	// GameCreatedAt is the time of creation of the game's record when the rollout was started. A game
	// of the same id with another time is another game.
	GameCreatedAt time.Time `json:"game_created_at,omitzero" doc:"When the game was created; a game of the same id that is created later is not part of the rollout"`
	// PreviousImage is the image of the game before its patch, which an undo restores.
	PreviousImage string `json:"previous_image,omitempty" doc:"The image of the game before the rollout changed it, which undo restores"`
	// Attempt is the attempt of the rollout in which the game was last changed.
	Attempt int `json:"attempt,omitzero" doc:"The attempt of the rollout in which the game was last changed"`
	// Message is why the game has failed or was skipped.
	Message string `json:"message,omitempty" doc:"Why the game has failed or was skipped"`
	// ChangedAt is when State changed.
	ChangedAt time.Time `json:"changed_at,omitzero" doc:"When the state changed; absent for a pending game"`
}

// IsOther reports whether a game of the same id is another one than that of the rollout, by the time of its
// creation.
func (g Game) IsOther(createdAt time.Time) bool {
	return !g.GameCreatedAt.IsZero() && !g.GameCreatedAt.Equal(createdAt)
}

// OperationID returns the id of the operation that patches the game. It is the same for every
// leader, so a second one joins the operation or gets its outcome.
func (g Game) OperationID(rolloutID string) string {
	direction := "update"
	if g.State == GameReverting || g.State == GameReverted || g.State == GameRevertFailed {
		direction = "undo"
	}
	sum := sha256.Sum256([]byte(g.GameID))
	return fmt.Sprintf("%s-%s-%d-%s", rolloutID, direction, g.Attempt, hex.EncodeToString(sum[:8]))
}

// MaxMessageBytes is the length of the longest Message of a game.
const MaxMessageBytes = 512

// Counts are the numbers of games by state.
type Counts struct {
	Total        int `json:"total" doc:"All games"`
	Pending      int `json:"pending" doc:"Not changed yet"`
	InProgress   int `json:"in_progress" doc:"Being changed"`
	Updated      int `json:"updated" doc:"Have the image"`
	Unchanged    int `json:"unchanged" doc:"Had the image before"`
	Failed       int `json:"failed" doc:"The change has failed, and the game has its previous image"`
	Skipped      int `json:"skipped" doc:"Stopped, removed or deleted, or found with another image by the undo"`
	Reverted     int `json:"reverted" doc:"Have their previous image back"`
	RevertFailed int `json:"revert_failed" doc:"The restore of the previous image has failed"`
}

// Add adds n games of the state.
func (c *Counts) Add(state GameState, n int) {
	c.Total += n
	switch state {
	case GamePending:
		c.Pending += n
	case GameUpdating, GameReverting:
		c.InProgress += n
	case GameUpdated:
		c.Updated += n
	case GameUnchanged:
		c.Unchanged += n
	case GameFailed:
		c.Failed += n
	case GameSkipped:
		c.Skipped += n
	case GameReverted:
		c.Reverted += n
	case GameRevertFailed:
		c.RevertFailed += n
	}
}

// Count returns the counts of the games.
func Count(games []Game) Counts {
	var c Counts
	for _, g := range games {
		c.Add(g.State, 1)
	}
	return c
}

// PlannedGame is what a rollout would do with a game.
type PlannedGame struct {
	GameID, Region string
	CurrentImage   string
	// IsUnchanged reports that the game has the image of the rollout already.
	IsUnchanged bool
}
