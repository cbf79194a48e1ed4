package httpserver

import (
	"net/url"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

// noInput is the request of a route without parameters.
type noInput struct{}

// gameInput is the part of a request that names the game.
type gameInput struct {
	GameID string `path:"game_id" doc:"The game's id as one percent-encoded segment: 1 to 256 bytes of UTF-8 without control characters, not blank, neither . nor .."`
}

// originInput is the part of a write's request that is stored in the ledger.
type originInput struct {
	IdempotencyKey string `header:"Idempotency-Key" field:"operation_id" doc:"The operation id: a second write of the game with the same id changes nothing, and is rejected if it requests something else; at most 128 bytes"`
	Actor          string `header:"Rtmanager-Actor" field:"actor" doc:"The actor, for the ledger; text beyond ASCII in the notation of RFC 8187"`
}

// reasonInput is the reason of a request whose body has no member for it.
type reasonInput struct {
	Reason string `header:"Rtmanager-Reason" field:"reason" doc:"The reason, for the ledger; text beyond ASCII in the notation of RFC 8187"`
}

// origin decodes the headers of the input, and the reason header, which may be empty.
func (in originInput) origin(reason string) (ports.Origin, error) {
	var origin ports.Origin
	for _, header := range []struct {
		name, value string
		field       *string
	}{
		{api.HeaderIdempotencyKey, in.IdempotencyKey, &origin.OperationID},
		{api.HeaderActor, in.Actor, &origin.Actor},
		{api.HeaderReason, reason, &origin.Reason},
	} {
		text, ok := api.DecodeHeaderText(header.value)
		if !ok {
			return ports.Origin{}, problem.BadRequest("header."+header.name, "is not UTF-8, or not valid in the notation of RFC 8187")
		}
		*header.field = text
	}
	return origin, nil
}

// filterInput is the part of a request that selects records.
type filterInput struct {
	Statuses   []runtime.Status `query:"status" doc:"Only records of this status; repeated for several"`
	Regions    []string         `query:"region" doc:"Only records of this region; repeated for several"`
	Nodes      []string         `query:"node" doc:"Only records of this node; repeated for several"`
	Images     []string         `query:"image" doc:"Only records with this image reference, or with a prefix of it followed by *; repeated for several"`
	Healths    []runtime.Health `query:"health" doc:"Only records of this health; repeated for several"`
	Ready      string           `query:"ready" enum:"true,false" doc:"Only games that are ready, or only those that are not"`
	GamePrefix string           `query:"game_id_prefix" doc:"Only games whose ids start with this text"`
	Selector   string           `query:"label_selector" doc:"Only records whose labels match this selector, in the grammar of Kubernetes, such as env=prod,mode!=ranked"`
}

// filter returns the filter of the request, for a caller that may see every game.
func (in *filterInput) filter() (ports.RecordFilter, error) {
	filter := ports.RecordFilter{
		Statuses: in.Statuses, Regions: in.Regions, Nodes: in.Nodes, Images: in.Images, Healths: in.Healths, GamePrefix: in.GamePrefix,
	}
	if in.Ready != "" {
		isReady := in.Ready == "true"
		filter.Ready = &isReady
	}
	if in.Selector == "" {
		return filter, nil
	}
	var err error
	filter.Labels, err = labelselector.Parse("label_selector", in.Selector)
	return filter, err
}

// set adds the parameters of the request to a query.
func (in *filterInput) set(query url.Values) {
	for _, status := range in.Statuses {
		query.Add("status", string(status))
	}
	for _, health := range in.Healths {
		query.Add("health", string(health))
	}
	for name, values := range map[string][]string{"region": in.Regions, "node": in.Nodes, "image": in.Images} {
		if len(values) > 0 {
			query[name] = values
		}
	}
	for name, value := range map[string]string{"ready": in.Ready, "game_id_prefix": in.GamePrefix, "label_selector": in.Selector} {
		if value != "" {
			query.Set(name, value)
		}
	}
}
