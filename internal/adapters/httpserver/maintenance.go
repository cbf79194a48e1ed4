package httpserver

import (
	"context"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
)

// Maintenance changes the settings of nodes and regions; services/maintenance implements it and
// documents the errors. It is safe for concurrent use.
type Maintenance interface {
	Cordon(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error)
	Uncordon(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error)
	Pause(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error)
	Resume(ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error)
	StartDrain(ctx context.Context, ref node.Ref, options node.DrainOptions, origin ports.Origin) (node.Settings, error)
	PlanDrain(ctx context.Context, ref node.Ref, options node.DrainOptions) ([]node.DrainStep, error)
	PauseRegion(ctx context.Context, region string, origin ports.Origin) (node.RegionSettings, error)
	ResumeRegion(ctx context.Context, region string, origin ports.Origin) (node.RegionSettings, error)
}

// settingsInput is the request of a change of settings. The change is idempotent, so it has no
// idempotency key.
type settingsInput struct {
	Region string `path:"region" doc:"The name of the region as one percent-encoded segment"`
	Actor  string `header:"Rtmanager-Actor" field:"actor" doc:"The actor, for the settings and the audit log; text beyond ASCII in the notation of RFC 8187"`
	reasonInput
}

type nodeSettingsInput struct {
	settingsInput
	Node string `path:"node" doc:"The name of the node as one percent-encoded segment"`
}

// admit decodes the origin of a change. It returns access.ErrForbidden unless the caller may
// operate every game of the region.
func (in settingsInput) admit(r *http.Request) (ports.Origin, error) {
	c := callers.Of(r.Context())
	if _, forEvery := c.Rights.AllowsRegion(access.PermissionOperate, in.Region); !forEvery {
		return ports.Origin{}, c.Forbidden(access.PermissionOperate, "every game of region "+in.Region)
	}
	origin, err := originInput{Actor: in.Actor}.origin(in.Reason)
	if err != nil {
		return ports.Origin{}, err
	}
	return origin, origin.Validate()
}

// admitSettings records the target of a change in the audit trail, and admits the change. It
// returns node.ErrNotMember if this daemon has no Maintenance.
func (s *Server) admitSettings(r *http.Request, in *settingsInput, target string) (Maintenance, ports.Origin, error) {
	trailOf(r.Context()).describe(target, "")
	trailOf(r.Context()).event.Region = in.Region
	origin, err := in.admit(r)
	if err == nil && s.cfg.Maintenance == nil {
		err = node.ErrNotMember
	}
	return s.cfg.Maintenance, origin, err
}

// nodeChange is a method of Maintenance that changes the settings of a node.
type nodeChange func(m Maintenance, ctx context.Context, ref node.Ref, origin ports.Origin) (node.Settings, error)

// nodeChangeHandler returns the handler of POST /v1/nodes/{region}/{node}/{change}.
func nodeChangeHandler(change nodeChange) func(*Server, http.ResponseWriter, *http.Request, *nodeSettingsInput) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request, in *nodeSettingsInput) error {
		ref := node.Ref{Region: in.Region, Name: in.Node}
		m, origin, err := s.admitSettings(r, &in.settingsInput, ref.String())
		if err != nil {
			return err
		}
		settings, err := change(m, r.Context(), ref, origin)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, api.ChangedNode{Ref: ref, Settings: settings})
	}
}

// regionChange is a method of Maintenance that changes the settings of a region.
type regionChange func(m Maintenance, ctx context.Context, region string, origin ports.Origin) (node.RegionSettings, error)

// regionChangeHandler returns the handler of POST /v1/regions/{region}/{change}.
func regionChangeHandler(change regionChange) func(*Server, http.ResponseWriter, *http.Request, *settingsInput) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request, in *settingsInput) error {
		m, origin, err := s.admitSettings(r, in, "region "+in.Region)
		if err != nil {
			return err
		}
		settings, err := change(m, r.Context(), in.Region, origin)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, api.ChangedRegion{Region: in.Region, Settings: settings})
	}
}

// maintenanceRoutes returns the routes that change the settings of nodes and regions.
func maintenanceRoutes() []Route {
	const tag = "operations"
	const nodePath, regionPath = "/v1/nodes/{region}/{node}/", "/v1/regions/{region}/"
	errorCodes := codes(storeCodes(), writeCodes(), []api.Code{api.CodeNotFound, api.CodeNoEngine})
	ofNode := func(verb, summary string, change nodeChange) Route {
		return withHandler(Route{
			Method: http.MethodPost, Path: nodePath + verb, ID: verb + "-node", Tag: tag,
			Summary: summary, Responses: jsonResponse[api.ChangedNode]("The settings of the node"), Codes: errorCodes,
		}, nodeChangeHandler(change))
	}
	ofRegion := func(verb, summary string, change regionChange) Route {
		return withHandler(Route{
			Method: http.MethodPost, Path: regionPath + verb, ID: verb + "-region", Tag: tag,
			Summary: summary, Responses: jsonResponse[api.ChangedRegion]("The settings of the region"), Codes: errorCodes,
		}, regionChangeHandler(change))
	}
	return []Route{
		ofNode("cordon", "Exclude a node from new games; those that it runs are not affected", Maintenance.Cordon),
		ofNode("uncordon", "Let a node get new games", Maintenance.Uncordon),
		withHandler(Route{
			Method: http.MethodPost, Path: nodePath + "drain", ID: "drain-node", Tag: tag,
			Summary:     "Cordon a node, and request that its daemon moves or stops the games of the node",
			Description: "Responds when the request is stored. GET /v1/nodes has the progress in settings.drain of the node. An uncordon cancels the drain.",
			Responses:   jsonResponse[api.DrainResult]("The drain is requested, or planned"), Codes: codes(errorCodes, bodyCodes(), []api.Code{api.CodeRejected}),
		}, (*Server).drainNode),
		ofNode("pause", "Stop the destructive work of the workers on the games of a node", Maintenance.Pause),
		ofNode("resume", "End the pause of a node", Maintenance.Resume),
		ofRegion("pause", "Stop the destructive work of the workers on the games of a region", Maintenance.PauseRegion),
		ofRegion("resume", "End the pause of a region", Maintenance.ResumeRegion),
	}
}

type drainInput struct {
	nodeSettingsInput
	DryRun bool                           `query:"dry_run" doc:"Change nothing, and return in plan what the drain would do with each running game"`
	Body   request.Body[api.DrainRequest] `body:"optional"`
}

// drainNode handles POST /v1/nodes/{region}/{node}/drain.
func (s *Server) drainNode(w http.ResponseWriter, r *http.Request, in *drainInput) error {
	ref := node.Ref{Region: in.Region, Name: in.Node}
	m, origin, err := s.admitSettings(r, &in.settingsInput, ref.String())
	if err != nil {
		return err
	}
	body := in.Body.Value
	options := node.DrainOptions{Timeout: time.Duration(body.Deadline), StopOnly: body.StopOnly, Force: body.Force}
	if !in.Body.Members["deadline"] {
		options.Timeout = api.DefaultDrainDeadline
	}
	if in.DryRun {
		plan, err := m.PlanDrain(r.Context(), ref, options)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, api.DrainResult{Ref: ref, Plan: orEmpty(plan)})
	}
	settings, err := m.StartDrain(r.Context(), ref, options, origin)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.DrainResult{Ref: ref, Settings: &settings, Plan: []node.DrainStep{}})
}
