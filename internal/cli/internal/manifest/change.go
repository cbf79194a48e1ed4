package manifest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Result is what applying a manifest does with a game.
type Result string

// The results.
const (
	ResultCreated    Result = "created"
	ResultConfigured Result = "configured"
	ResultUnchanged  Result = "unchanged"
	// ResultPruned: no file contains the game, so it is stopped and removed.
	ResultPruned Result = "pruned"
)

// Change is what must be done so that a game is as its manifest.
type Change struct {
	Result Result
	// Members are the members that differ: labels, metadata, desired_status, and those of the spec, which
	// are sorted.
	Members []string
	// Labels is the change of labels, which precedes the operations; nil if there is none.
	Labels *api.LabelChange
	// Metadata is the change of metadata, which precedes them too; nil if there is none.
	Metadata *api.MetadataChange
	// Requests are the operations, in their order. They have no origin.
	Requests []ports.OperationRequest
}

// ChangeOf returns the change from the current state of a game to its manifest. force allows
// another major or minor version of the image.
func ChangeOf(game Game, current api.GameSpec, force bool) Change {
	request := func(kind operation.Kind) ports.OperationRequest {
		return ports.OperationRequest{GameID: game.GameID, Kind: kind}
	}
	start := request(operation.KindStart)
	start.Spec = &game.Spec
	isAbsent := current.OperationID == "" && (current.Record == nil || current.Record.Status == runtime.StatusRemoved)
	switch {
	case isAbsent && game.Desired() == runtime.StatusStopped:
		return Change{Result: ResultUnchanged}
	case isAbsent:
		start.Labels, start.Metadata = game.Labels, game.Metadata
		return Change{Result: ResultCreated, Requests: []ports.OperationRequest{start}}
	}
	change := Change{Result: ResultUnchanged, Members: changedMembers(game.Spec, current.Spec)}
	hasNewSpec := len(change.Members) > 0
	isRunning := isRunning(current)
	switch {
	case game.Desired() == runtime.StatusRunning && !isRunning:
		change.Members = append([]string{"desired_status"}, change.Members...)
		change.Requests = append(change.Requests, start)
		hasNewSpec = false // the start has it
	case game.Desired() == runtime.StatusStopped && isRunning:
		change.Members = append([]string{"desired_status"}, change.Members...)
		change.Requests = append(change.Requests, request(operation.KindStop))
	}
	if hasNewSpec {
		patch := request(operation.KindPatch)
		patch.Spec, patch.Force = &game.Spec, force
		change.Requests = append(change.Requests, patch)
	}
	if change.Metadata = metadataChangeOf(game, current.Record); change.Metadata != nil {
		change.Members = append([]string{"metadata"}, change.Members...)
	}
	if change.Labels = labelChangeOf(game, current.Record); change.Labels != nil {
		change.Members = append([]string{"labels"}, change.Members...)
	}
	if len(change.Requests) > 0 || change.Labels != nil || change.Metadata != nil {
		change.Result = ResultConfigured
	}
	return change
}

// labelChangeOf returns the change to the labels of the manifest, nil if there is none. A game
// without a record has no labels that could be changed.
func labelChangeOf(game Game, current *runtime.RuntimeRecord) *api.LabelChange {
	if game.Labels == nil || current == nil || maps.Equal(game.Labels, current.Labels) {
		return nil
	}
	change := &api.LabelChange{Set: map[string]string{}}
	for key, value := range game.Labels {
		if present, found := current.Labels[key]; !found || present != value {
			change.Set[key] = value
		}
	}
	for key := range current.Labels {
		if _, found := game.Labels[key]; !found {
			change.Remove = append(change.Remove, key)
		}
	}
	slices.Sort(change.Remove)
	return change
}

// metadataChangeOf is labelChangeOf for metadata.
func metadataChangeOf(game Game, current *runtime.RuntimeRecord) *api.MetadataChange {
	if game.Metadata == "" || current == nil || game.Metadata.Normal() == current.Metadata {
		return nil
	}
	return &api.MetadataChange{Replace: &game.Metadata}
}

// isRunning reports whether the game runs, or will after the operation in progress.
func isRunning(current api.GameSpec) bool {
	if current.OperationID != "" {
		return current.DesiredStatus == runtime.StatusRunning
	}
	return current.Record.Status == runtime.StatusRunning
}

// changedMembers returns the names of the members in which the specs differ, sorted. A member that
// has its default value equals one that is absent.
func changedMembers(desired operation.Spec, current *operation.Spec) []string {
	if current == nil {
		current = &operation.Spec{}
	}
	a, b := membersOf(desired.WithDefaults()), membersOf(current.WithDefaults())
	var names []string
	for name := range a {
		if string(a[name]) != string(b[name]) {
			names = append(names, name)
		}
	}
	for name := range b {
		if _, found := a[name]; !found {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// membersOf returns the members of the value as JSON. The JSON of equal values is equal.
func membersOf(value any) map[string]json.RawMessage {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("manifest: encode %T: %v", value, err)) // plain data has a JSON form
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(text, &members); err != nil {
		panic(fmt.Sprintf("manifest: decode %T: %v", value, err))
	}
	return members
}

// Merged returns the current manifest with the members that differ taken from the desired one, so
// that the text of both differs in these members only.
func Merged(game Game, current Game, members []string) (Game, error) {
	merged := current
	desired, present := membersOf(game.Spec), membersOf(current.Spec)
	defaults := membersOf(game.Spec.WithDefaults())
	result := maps.Clone(present)
	for _, name := range members {
		switch value, found := desired[name]; {
		case name == "desired_status":
			merged.DesiredStatus = game.Desired()
		case name == "labels":
			merged.Labels = game.Labels
		case name == "metadata":
			merged.Metadata = game.Metadata
		case found:
			result[name] = value
		case defaults[name] != nil:
			result[name] = defaults[name]
		default:
			delete(result, name)
		}
	}
	text, err := json.Marshal(result)
	if err != nil {
		return Game{}, err
	}
	merged.Spec = operation.Spec{}
	return merged, json.Unmarshal(text, &merged.Spec)
}
