package httpserver

import (
	"cmp"
	"context"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// getAuthentication handles GET /v1/auth.
func (s *Server) getAuthentication(w http.ResponseWriter, _ *http.Request, _ *noInput) error {
	return writeJSON(w, http.StatusOK, api.Authentication{Required: s.hasAuthentication(), OIDC: s.cfg.OIDC})
}

// getIdentity handles GET /v1/whoami.
func (s *Server) getIdentity(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	c := callers.Of(r.Context())
	identity := api.Identity{Subject: c.Identity.Subject, Groups: orEmpty(c.Identity.Groups), Method: c.Identity.Method, Grants: orEmpty(c.Rights.Grants())}
	if c.Identity.IsAnonymous() {
		identity.Method, identity.Grants = access.MethodNone, []access.Grant{{Role: access.RoleAdmin}}
	}
	if expires := c.Identity.ExpiresAt; !expires.IsZero() {
		identity.ExpiresAt = &expires
	}
	return writeJSON(w, http.StatusOK, identity)
}

type decisionInput struct {
	Verb    string `query:"verb" doc:"The permission read, operate or admin, or a verb such as stop"`
	GameID  string `query:"game_id" doc:"The game; absent means any game"`
	Region  string `query:"region" doc:"The region; absent means that of the game, or any region for a new game"`
	Labels  string `query:"labels" doc:"The labels KEY=VALUE,... of a game that is to be started; absent means those of the game"`
	Subject string `query:"subject" doc:"The subject, without groups; absent means the caller. Only administrators may set it"`
}

// getDecision handles GET /v1/can-i.
func (s *Server) getDecision(w http.ResponseWriter, r *http.Request, in *decisionInput) error {
	permission, err := access.ParsePermission(in.Verb)
	if err != nil {
		return problem.BadRequest("query.verb", "%v", err)
	}
	c := callers.Of(r.Context())
	if in.Subject != "" && in.Subject != c.Identity.Subject {
		if c, err = s.callerNamed(c, in.Subject); err != nil {
			return err
		}
	}
	err = s.decide(r.Context(), c, permission, in)
	decision := api.Decision{Allowed: err == nil, Subject: c.Identity.Subject, Permission: permission}
	if forbidden, isForbidden := err.(*access.ForbiddenError); isForbidden { //nolint:errorlint // decide returns it unwrapped
		decision.Reason = forbidden.Error()
	} else if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, decision)
}

// callerNamed returns another subject as a caller. Only an administrator may name one.
func (s *Server) callerNamed(c callers.Caller, subject string) (callers.Caller, error) {
	if !c.Rights.AllowsAll(access.PermissionAdmin) {
		return c, c.Forbidden(access.PermissionAdmin, "the rights of another subject")
	}
	if err := access.ValidateSubject(subject); err != nil {
		return c, problem.BadRequest("query.subject", "%v", err)
	}
	named := callers.Caller{Identity: access.Identity{Subject: subject}, Rights: access.AllRights()}
	if !s.hasAuthentication() {
		return named, nil
	}
	var err error
	named.Rights, err = s.cfg.Access.Rights(named.Identity)
	return named, err
}

// decide returns nil or access.ErrForbidden.
func (s *Server) decide(ctx context.Context, c callers.Caller, permission access.Permission, in *decisionInput) error {
	switch {
	case in.GameID == "" && in.Region == "":
		if c.Rights.AllowsSome(permission) {
			return nil
		}
		return c.Forbidden(permission, "")
	case in.GameID == "":
		if forSome, _ := c.Rights.AllowsRegion(permission, in.Region); forSome {
			return nil
		}
		return c.Forbidden(permission, "region "+in.Region)
	}
	if err := runtime.ValidateGameID(in.GameID); err != nil {
		return err
	}
	hasLabels := in.Labels != ""
	if in.Region != "" || hasLabels { // of a game that is to be started
		labels, err := access.ParseLabels(in.Labels)
		if err != nil {
			return problem.BadRequest("query.labels", "%v", err)
		}
		if hasLabels {
			c = c.ForLabels(labels)
		} else if c, err = s.callerFor(ctx, c, permission, in.GameID); err != nil {
			return err
		}
		return c.CheckPlacement(permission, cmp.Or(in.Region, s.cfg.Region), in.GameID)
	}
	c, err := c.CheckGame(ctx, permission, in.GameID, s.games())
	if err != nil {
		return err
	}
	if inSome, _ := c.Rights.AllowsGame(permission, in.GameID); !inSome { // it has no record, and not the labels
		return c.Forbidden(permission, "game "+in.GameID)
	}
	return nil
}
