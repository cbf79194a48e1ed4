package manifest

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Game is the desired state of one game.
type Game struct {
	GameID string `json:"game_id"`
	// Region and Node select where to start a game that has no node.
	Region string `json:"region,omitempty"`
	Node   string `json:"node,omitempty"`
	// DesiredStatus is running or stopped; empty means running.
	DesiredStatus runtime.Status `json:"desired_status,omitempty"`
	// Labels are all labels of the game; nil leaves them as they are.
	Labels map[string]string `json:"labels,omitempty"`
	// Metadata is all metadata of the game; empty leaves it as it is, and {} removes it.
	Metadata runtime.Metadata `json:"metadata,omitzero"`
	Spec     operation.Spec   `json:"spec"`
}

// Desired returns the desired status.
func (g Game) Desired() runtime.Status { return cmp.Or(g.DesiredStatus, runtime.StatusRunning) }

// Games reads games from consecutive JSON values or from YAML documents. Each value is a game, a
// list of games, or an object that has such a list as "items". It fails if a game is invalid or
// occurs twice, or if there is none.
func Games(text []byte) ([]Game, error) {
	documents, err := splitDocuments(text)
	if err != nil {
		return nil, err
	}
	var games []Game
	for i, document := range documents {
		decoded, err := decodeGames(document)
		if err != nil {
			return nil, fmt.Errorf("document %d: %w", i+1, err)
		}
		games = append(games, decoded...)
	}
	if len(games) == 0 {
		return nil, errors.New("contains no game")
	}
	return games, nil
}

// Validate returns every error of the game. Their fields are those of the file.
func (g Game) Validate() error {
	errs := []error{runtime.ValidateGameID(g.GameID), runtime.ValidateLabels("labels", g.Labels), g.Metadata.Validate("metadata"), inSpec(g.Spec.Validate())}
	if desired := g.Desired(); desired != runtime.StatusRunning && desired != runtime.StatusStopped {
		errs = append(errs, &runtime.InvalidError{Field: "desired_status", Reason: fmt.Sprintf("%q is not one of running and stopped", desired)})
	}
	return errors.Join(errs...)
}

// inSpec adds the name of the member to the fields of errors.
func inSpec(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var errs []error
	for _, one := range joined.Unwrap() {
		if invalid, ok := errors.AsType[*runtime.InvalidError](one); ok {
			one = &runtime.InvalidError{Field: "spec." + invalid.Field, Reason: invalid.Reason}
		}
		errs = append(errs, one)
	}
	return errors.Join(errs...)
}

func decodeGames(document jsontext.Value) ([]Game, error) {
	switch document.Kind() {
	case '[':
		var games []Game
		return games, decodeStrict(document, &games)
	case '{':
	default:
		return nil, fmt.Errorf("%s is neither a game nor a list of games", kindName(document.Kind()))
	}
	var list struct {
		Items jsontext.Value `json:"items"`
	}
	if err := json.Unmarshal(document, &list); err == nil && list.Items != nil {
		var games struct {
			Items []Game `json:"items"`
		}
		err := decodeStrict(document, &games)
		return games.Items, err
	}
	var single Game
	if err := decodeStrict(document, &single); err != nil {
		return nil, err
	}
	return []Game{single}, nil
}

// GameOf returns the manifest of a game as the daemon reports it. Applying it changes nothing. The
// game must have a spec.
func GameOf(current api.GameSpec) Game {
	game := Game{GameID: current.GameID, DesiredStatus: current.DesiredStatus, Spec: *current.Spec}
	if current.Record != nil {
		game.Region, game.Labels, game.Metadata = current.Record.Region, current.Record.Labels, current.Record.Metadata
		game.DesiredStatus = cmp.Or(game.DesiredStatus, current.Record.Status)
	}
	if game.DesiredStatus == runtime.StatusRemoved {
		game.DesiredStatus = runtime.StatusStopped // applying it starts nothing
	}
	return game
}
