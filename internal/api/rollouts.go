package api

import (
	"galaxy/rtmanager/internal/domain/rollout"
)

// DefaultRolloutParallel is how many games a rollout changes at a time without max_parallel.
const DefaultRolloutParallel = 8

// RolloutRequest is the body of POST /v1/rollouts. The filters select running games.
type RolloutRequest struct {
	Image          string `json:"image" required:"true" doc:"The new image of the games"`
	Force          bool   `json:"force,omitempty" doc:"Allow an image of another major or minor version, or one whose version cannot be compared"`
	Pull           bool   `json:"pull,omitempty" doc:"Pull the image even if the node has it, also for games that have this image"`
	MaxParallel    int    `json:"max_parallel,omitempty" doc:"How many games are changed at a time, 1 to 200. Default: 8"`
	MaxUnavailable int    `json:"max_unavailable,omitempty" doc:"How many games of the rollout may be not ready for a further game to be changed, including those that are being changed. Default: any number"`
	PauseOnFailure bool   `json:"pause_on_failure,omitempty" doc:"Pause the rollout when the change of a game fails"`

	Selector   string   `json:"label_selector,omitempty" doc:"Only games whose labels match this selector, in the grammar of Kubernetes, such as env=prod,mode!=ranked"`
	Regions    []string `json:"regions,omitempty" nullable:"false" doc:"Only games of these regions"`
	Nodes      []string `json:"nodes,omitempty" nullable:"false" doc:"Only games of these nodes"`
	Images     []string `json:"images,omitempty" nullable:"false" doc:"Only games with these images, or with prefixes of them followed by *"`
	GamePrefix string   `json:"game_id_prefix,omitempty" doc:"Only games whose ids start with this text"`
	All        bool     `json:"all,omitempty" doc:"All running games; required without a filter"`
}

// HasFilter reports whether the request has a filter.
func (r RolloutRequest) HasFilter() bool {
	return r.Selector != "" || r.GamePrefix != "" || len(r.Regions)+len(r.Nodes)+len(r.Images) > 0
}

// RolloutResume is the optional body of POST /v1/rollouts/{rollout_id}/resume.
type RolloutResume struct {
	SkipFailed bool `json:"skip_failed,omitempty" doc:"Do not retry the games that have failed"`
}

// RolloutDetail is a rollout with its games.
type RolloutDetail struct {
	rollout.Rollout
	Games []RolloutGame `json:"games" nullable:"false" doc:"The games, ordered by id"`
}

// RolloutGame is one game of a rollout.
type RolloutGame struct {
	rollout.Game
	OperationID string `json:"operation_id,omitempty" doc:"The operation that changes the game, or has changed it last; absent if none has"`
}

// RolloutList is the response to GET /v1/rollouts.
type RolloutList struct {
	Items []rollout.Rollout `json:"items" nullable:"false" doc:"The rollouts, the oldest first"`
}

// RolloutPlan is what a rollout would do.
type RolloutPlan struct {
	Games []RolloutPlanned `json:"games" nullable:"false" doc:"The selected games, ordered by id"`
}

// RolloutPlanned is what a rollout would do with a game.
type RolloutPlanned struct {
	GameID       string `json:"game_id" doc:"The game"`
	Region       string `json:"region,omitempty" doc:"The region of the game"`
	CurrentImage string `json:"current_image" doc:"The image of the game"`
	IsUnchanged  bool   `json:"unchanged,omitempty" doc:"Whether the game has the image of the rollout already"`
}

// RolloutStarted is the response to POST /v1/rollouts.
type RolloutStarted struct {
	Rollout *rollout.Rollout `json:"rollout,omitempty" doc:"The rollout; absent with dry_run"`
	Plan    *RolloutPlan     `json:"plan,omitempty" doc:"With dry_run, what the rollout would do"`
}

// RolloutFrom returns the rollout for clients, without what only daemons need.
func RolloutFrom(r rollout.Rollout) rollout.Rollout {
	r.By = rollout.Actor{Name: r.By.Name, Subject: r.By.Subject}
	r.RequestHash = ""
	return r
}

// RolloutDetailFrom returns the rollout with its games.
func RolloutDetailFrom(r rollout.Rollout, games []rollout.Game) RolloutDetail {
	detail := RolloutDetail{Rollout: RolloutFrom(r), Games: make([]RolloutGame, len(games))}
	for i, game := range games {
		detail.Games[i].Game = game
		switch game.State {
		case rollout.GamePending, rollout.GameUnchanged, rollout.GameSkipped:
		default:
			detail.Games[i].OperationID = game.OperationID(r.ID)
		}
	}
	return detail
}
