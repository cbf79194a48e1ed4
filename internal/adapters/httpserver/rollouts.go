package httpserver

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/etag"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/labelselector"
	"galaxy/rtmanager/internal/ports"
)

// Rollouts starts and changes rollouts; services/rollouts implements it and documents the errors.
// It is safe for concurrent use.
type Rollouts interface {
	Start(ctx context.Context, request ports.RolloutRequest) (rollout.Rollout, error)
	Plan(ctx context.Context, request ports.RolloutRequest) ([]rollout.PlannedGame, error)
	List(ctx context.Context) ([]rollout.Rollout, error)
	Get(ctx context.Context, id string) (rollout.Rollout, []rollout.Game, error)
	Change(ctx context.Context, id string, request rollout.Request) (rollout.Rollout, error)
	Delete(ctx context.Context, id string, by rollout.Actor) error
}

// noRollouts are the rollouts of a server without any.
type noRollouts struct{}

func (noRollouts) Start(context.Context, ports.RolloutRequest) (rollout.Rollout, error) {
	return rollout.Rollout{}, node.ErrNoEngine
}

func (noRollouts) Plan(context.Context, ports.RolloutRequest) ([]rollout.PlannedGame, error) {
	return nil, node.ErrNoEngine
}

func (noRollouts) List(context.Context) ([]rollout.Rollout, error) { return nil, node.ErrNoEngine }

func (noRollouts) Get(context.Context, string) (rollout.Rollout, []rollout.Game, error) {
	return rollout.Rollout{}, nil, node.ErrNoEngine
}

func (noRollouts) Change(context.Context, string, rollout.Request) (rollout.Rollout, error) {
	return rollout.Rollout{}, node.ErrNoEngine
}

func (noRollouts) Delete(context.Context, string, rollout.Actor) error { return node.ErrNoEngine }

// rolloutsPath is the path of all rollouts, and rolloutPath that of one.
const (
	rolloutsPath = "/v1/rollouts"
	rolloutPath  = rolloutsPath + "/{rollout_id}"
)

// rolloutRoutes returns the routes of rollouts.
func rolloutRoutes() []Route {
	const tag = "rollouts"
	revision := ResponseHeader{Name: "ETag", Description: "The revision of the last change of the rollout, in double quotes", Type: reflect.TypeFor[string]()}
	readCodes := codes(storeCodes(), []api.Code{api.CodeNoEngine, api.CodeNoSuchRollout})
	changeCodes := codes(readCodes, writeCodes(), []api.Code{api.CodeRolloutConflict})
	detail := jsonResponse[api.RolloutDetail]("The rollout with its games")
	detail[0].Headers = []ResponseHeader{revision}
	started := jsonResponse[api.RolloutStarted]("With dry_run, what the rollout would do")
	started = append(started, Response{
		Status: http.StatusCreated, Description: "The rollout is stored, and begins", Content: started[0].Content,
		Headers: []ResponseHeader{{Name: "Location", Description: "The path of the rollout", Type: reflect.TypeFor[string]()}},
	})
	change := func(action rollout.Action, summary string, handler func(*Server, http.ResponseWriter, *http.Request, *rolloutChangeInput) error) Route {
		response := jsonResponse[rollout.Rollout]("The rollout after the request")
		response[0].Headers = []ResponseHeader{revision}
		return withHandler(Route{
			Method: http.MethodPost, Path: rolloutPath + "/" + string(action), ID: string(action) + "-rollout", Tag: tag,
			Summary: summary, Responses: response, Codes: codes(changeCodes, bodyCodes()),
		}, handler)
	}
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: rolloutsPath, ID: "list-rollouts", Tag: tag,
			Summary: "List the rollouts", Responses: jsonResponse[api.RolloutList]("The rollouts that have games which the caller may all read"),
			Codes: codes(storeCodes(), []api.Code{api.CodeNoEngine}),
		}, (*Server).listRollouts),
		withHandler(Route{
			Method: http.MethodPost, Path: rolloutsPath, ID: "start-rollout", Tag: tag,
			Summary:     "Change the image of many running games, a few at a time",
			Description: "Responds when the rollout is stored. The daemons carry it out; the caller must have the permission operate for each game, also when it is changed.",
			Responses:   started, Codes: codes(changeCodes, bodyCodes(), []api.Code{api.CodeIdempotencyKeyReused, api.CodeCompacted, api.CodeRejected}),
		}, (*Server).startRollout),
		withHandler(Route{
			Method: http.MethodGet, Path: rolloutPath, ID: "get-rollout", Tag: tag,
			Summary:   "Get a rollout with its games",
			Responses: append(detail, Response{Status: http.StatusNotModified, Description: "The rollout still has the ETag of the request"}), Codes: readCodes,
		}, (*Server).getRollout),
		change(rollout.ActionPause, "Change no further game; changes in progress are completed", changeRolloutHandler(rollout.ActionPause)),
		change(rollout.ActionResume, "Continue a paused rollout, or retry the failed games of one that has ended", changeRolloutHandler(rollout.ActionResume)),
		change(rollout.ActionUndo, "Give every changed game its previous image, within the same limits", changeRolloutHandler(rollout.ActionUndo)),
		withHandler(Route{
			Method: http.MethodDelete, Path: rolloutPath, ID: "delete-rollout", Tag: tag,
			Summary:   "Delete a rollout that has ended, or that is paused and changes no game; its games are not affected",
			Responses: []Response{{Status: http.StatusNoContent, Description: "The rollout is deleted"}}, Codes: changeCodes,
		}, (*Server).deleteRollout),
	}
}

type (
	startRolloutInput struct {
		originInput
		reasonInput
		DryRun bool                             `query:"dry_run" doc:"Only report what the rollout would do with each game"`
		Body   request.Body[api.RolloutRequest] `body:"required"`
	}
	rolloutInput struct {
		RolloutID string `path:"rollout_id" doc:"The id of the rollout"`
	}
	getRolloutInput struct {
		rolloutInput
		IfNoneMatch string `header:"If-None-Match" list:"true" doc:"Returns 304 if the rollout still has one of these ETags"`
	}
	deleteRolloutInput struct {
		rolloutInput
		originInput
		reasonInput
	}
	rolloutChangeInput struct {
		deleteRolloutInput
		Body request.Body[api.RolloutResume] `body:"optional"`
	}
)

// startRollout handles POST /v1/rollouts.
func (s *Server) startRollout(w http.ResponseWriter, r *http.Request, in *startRolloutInput) error {
	origin, err := in.origin(in.Reason)
	if err != nil {
		return err
	}
	if err := origin.Validate(); err != nil {
		return err
	}
	c := callers.Of(r.Context())
	input, err := rolloutRequest(&in.Body, c.Identity.Subject)
	if err != nil {
		return err
	}
	input.Filter.Visible = c.Visible()
	input.By, input.Reason, input.IdempotencyKey = actorOf(c, origin), origin.Reason, origin.OperationID
	input.Authorize = func(record runtime.RuntimeRecord) error {
		return c.ForLabels(record.Labels).CheckPlacement(access.PermissionOperate, record.Region, record.GameID)
	}
	if in.DryRun {
		planned, err := s.cfg.Rollouts.Plan(r.Context(), input)
		if err != nil {
			return problem.From(err, locateInBody)
		}
		plan := api.RolloutPlan{Games: make([]api.RolloutPlanned, len(planned))}
		for i, game := range planned {
			plan.Games[i] = api.RolloutPlanned(game)
		}
		return writeJSON(w, http.StatusOK, api.RolloutStarted{Plan: &plan})
	}
	started, err := s.cfg.Rollouts.Start(r.Context(), input)
	if err != nil {
		return problem.From(err, locateInBody)
	}
	trailOf(r.Context()).describe("rollout "+started.ID, "image "+started.Image+", "+started.Selector)
	w.Header().Set("Location", rolloutsPath+"/"+url.PathEscape(started.ID))
	started = api.RolloutFrom(started)
	return writeJSON(w, http.StatusCreated, api.RolloutStarted{Rollout: &started})
}

// rolloutRequest converts the body of a request of the subject. Another subject with the same idempotency key and
// body makes another request.
func rolloutRequest(in *request.Body[api.RolloutRequest], subject string) (ports.RolloutRequest, error) {
	body := in.Value
	if body.HasFilter() == body.All {
		return ports.RolloutRequest{}, problem.Invalid(api.Fault{Location: "body.all", Message: "is required without a filter, and not allowed with one"})
	}
	for name, isEmpty := range map[string]bool{
		"label_selector": body.Selector == "", "game_id_prefix": body.GamePrefix == "", "regions": len(body.Regions) == 0,
		"nodes": len(body.Nodes) == 0, "images": len(body.Images) == 0,
	} {
		if in.Members[name] && isEmpty {
			// An unset variable of a script must not select every game.
			return ports.RolloutRequest{}, problem.Invalid(api.Fault{Location: "body." + name, Message: "is empty; omit it, or give it a value"})
		}
	}
	sum := sha256.Sum256(slices.Concat([]byte(subject+"\x00"), in.Raw))
	filter := ports.RecordFilter{Regions: body.Regions, Nodes: body.Nodes, Images: body.Images, GamePrefix: body.GamePrefix}
	if body.Selector != "" {
		var err error
		if filter.Labels, err = labelselector.Parse("label_selector", body.Selector); err != nil {
			return ports.RolloutRequest{}, problem.From(err, locateInBody)
		}
	}
	parallel := body.MaxParallel
	if !in.Members["max_parallel"] {
		parallel = api.DefaultRolloutParallel
	}
	return ports.RolloutRequest{
		ContentsHash: hex.EncodeToString(sum[:8]), Filter: filter,
		Spec: rollout.Spec{
			Image: body.Image, Force: body.Force, Pull: body.Pull, Selector: describeFilters(body),
			MaxParallel: parallel, MaxUnavailable: body.MaxUnavailable, PauseOnFailure: body.PauseOnFailure,
		},
	}, nil
}

// describeFilters returns the filters of a request for display.
func describeFilters(body api.RolloutRequest) string {
	if body.All {
		return "all running games"
	}
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+" "+value)
		}
	}
	add("labels", body.Selector)
	add("region", strings.Join(body.Regions, ", "))
	add("node", strings.Join(body.Nodes, ", "))
	add("image", strings.Join(body.Images, ", "))
	add("id", body.GamePrefix)
	return strings.Join(parts, "; ")
}

// actorOf returns the caller as the actor of a rollout.
func actorOf(c callers.Caller, origin ports.Origin) rollout.Actor {
	i := c.Identity
	actor := rollout.Actor{Name: cmp.Or(origin.Actor, i.Subject), Subject: i.Subject, Groups: i.Groups, TokenID: i.TokenID}
	if !i.IsAnonymous() {
		actor.Method = string(i.Method)
	}
	return actor
}

// listRollouts handles GET /v1/rollouts.
func (s *Server) listRollouts(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	found, err := s.cfg.Rollouts.List(r.Context())
	if err != nil {
		return err
	}
	c := callers.Of(r.Context())
	body := api.RolloutList{Items: []rollout.Rollout{}}
	for _, item := range found {
		if !c.Rights.AllowsAll(access.PermissionRead) {
			found, games, err := s.cfg.Rollouts.Get(r.Context(), item.ID)
			if err != nil || s.checkRolloutGames(r.Context(), access.PermissionRead, found, games) != nil {
				continue
			}
		}
		body.Items = append(body.Items, api.RolloutFrom(item))
	}
	return writeJSON(w, http.StatusOK, body)
}

// maxConcurrentChecks bounds the reads of records that check the rights for the games of one rollout.
const maxConcurrentChecks = 32

// checkRolloutGames returns access.ErrForbidden unless the caller has the permission for every
// game of a rollout. Some of them are not stored during its preparation, and some are deleted during its deletion.
func (s *Server) checkRolloutGames(ctx context.Context, permission access.Permission, of rollout.Rollout, games []rollout.Game) error {
	c := callers.Of(ctx)
	switch {
	case c.Rights.AllowsAll(permission):
		return nil
	case of.State == rollout.StatePreparing, of.State == rollout.StateDeleting && permission == access.PermissionRead:
		return c.Forbidden(permission, "every game of rollout "+of.ID)
	}
	checks, ctx := errgroup.WithContext(ctx)
	checks.SetLimit(maxConcurrentChecks)
	var existing atomic.Int64
	for _, game := range games {
		if ctx.Err() != nil {
			break
		}
		checks.Go(func() error {
			exists, err := s.checkRolloutGame(ctx, permission, game)
			if exists {
				existing.Add(1)
			}
			return err
		})
	}
	if err := checks.Wait(); err != nil || existing.Load() > 0 || of.By.Subject == c.Identity.Subject {
		return err
	}
	return c.Forbidden(permission, "rollout "+of.ID+", whose games were deleted")
}

// checkRolloutGame checks the permission for one game, with the labels that it has now. A game that was deleted since
// the rollout was started has none, and must not end the access to the rollout.
func (s *Server) checkRolloutGame(ctx context.Context, permission access.Permission, game rollout.Game) (exists bool, _ error) {
	c := callers.Of(ctx)
	if len(c.Granted().LabelLimits(permission)) == 0 {
		return true, c.CheckPlacement(permission, game.Region, game.GameID)
	}
	found, err := s.store.GetVersioned(ctx, game.GameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound), err == nil && game.IsOther(found.Record.CreatedAt):
		return false, c.ForAnyLabels().CheckPlacement(permission, game.Region, game.GameID)
	case err != nil:
		return false, err
	}
	return true, c.ForLabels(found.Record.Labels).CheckPlacement(permission, game.Region, game.GameID)
}

// getRollout handles GET /v1/rollouts/{rollout_id}.
func (s *Server) getRollout(w http.ResponseWriter, r *http.Request, in *getRolloutInput) error {
	found, games, err := s.cfg.Rollouts.Get(r.Context(), in.RolloutID)
	if err != nil {
		return err
	}
	if err := s.checkRolloutGames(r.Context(), access.PermissionRead, found, games); err != nil {
		return err
	}
	w.Header().Set("ETag", etag.Of(found.Revision))
	if in.IfNoneMatch != "" && etag.Matches(in.IfNoneMatch, found.Revision) {
		w.WriteHeader(http.StatusNotModified)
		return nil
	}
	return writeJSON(w, http.StatusOK, api.RolloutDetailFrom(found, games))
}

// admitRollout admits a change of a rollout: the caller may operate all its games.
func (s *Server) admitRollout(r *http.Request, in *deleteRolloutInput) (ports.Origin, error) {
	trailOf(r.Context()).describe("rollout "+in.RolloutID, "")
	origin, err := in.origin(in.Reason)
	if err != nil {
		return origin, err
	}
	if err := origin.Validate(); err != nil {
		return origin, err
	}
	c := callers.Of(r.Context())
	if c.Rights.AllowsAll(access.PermissionOperate) {
		return origin, nil
	}
	found, games, err := s.cfg.Rollouts.Get(r.Context(), in.RolloutID)
	if err != nil {
		return origin, err
	}
	return origin, s.checkRolloutGames(r.Context(), access.PermissionOperate, found, games)
}

// changeRolloutHandler returns the handler of POST /v1/rollouts/{rollout_id}/{action}.
func changeRolloutHandler(action rollout.Action) func(*Server, http.ResponseWriter, *http.Request, *rolloutChangeInput) error {
	return func(s *Server, w http.ResponseWriter, r *http.Request, in *rolloutChangeInput) error {
		origin, err := s.admitRollout(r, &in.deleteRolloutInput)
		if err != nil {
			return err
		}
		if in.Body.Members["skip_failed"] && action != rollout.ActionResume {
			return problem.Invalid(api.Fault{Location: "body.skip_failed", Message: "is for resume only"})
		}
		changed, err := s.cfg.Rollouts.Change(r.Context(), in.RolloutID, rollout.Request{
			Action: action, SkipFailed: in.Body.Value.SkipFailed, By: actorOf(callers.Of(r.Context()), origin), Reason: origin.Reason,
		})
		if err != nil {
			return err
		}
		w.Header().Set("ETag", etag.Of(changed.Revision))
		return writeJSON(w, http.StatusOK, api.RolloutFrom(changed))
	}
}

// deleteRollout handles DELETE /v1/rollouts/{rollout_id}.
func (s *Server) deleteRollout(w http.ResponseWriter, r *http.Request, in *deleteRolloutInput) error {
	origin, err := s.admitRollout(r, in)
	if err != nil {
		return err
	}
	if err := s.cfg.Rollouts.Delete(r.Context(), in.RolloutID, actorOf(callers.Of(r.Context()), origin)); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
