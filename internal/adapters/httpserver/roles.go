package httpserver

import (
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

// listRoles handles GET /v1/roles.
func (s *Server) listRoles(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	admin, err := s.requireAccessAdmin()
	if err != nil {
		return err
	}
	bindings, err := admin.Bindings(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.Roles{Items: orEmpty(bindings)})
}

type roleInput struct {
	Body request.Body[api.RoleChange] `body:"required"`
}

// grant returns the grant of the body, nil for none.
func (in *roleInput) grant() (*access.Grant, error) {
	text := in.Body.Value.Grant
	if text == "" {
		return nil, nil //nolint:nilnil // no grant, and no error
	}
	grant, err := access.ParseGrant(text)
	if err != nil {
		return nil, problem.Invalid(api.Fault{Location: "body.grant", Message: err.Error()})
	}
	return &grant, nil
}

// grantRole handles POST /v1/roles/grant.
func (s *Server) grantRole(w http.ResponseWriter, r *http.Request, in *roleInput) error {
	grant, err := in.grant()
	if err != nil {
		return err
	}
	if grant == nil {
		return problem.Invalid(api.Fault{Location: "body.grant", Message: "is required"})
	}
	return s.changeRoles(w, r, in.Body.Value.Subject, "granted "+grant.String(), func(admin AccessAdmin, by string) (access.Binding, error) {
		return admin.Grant(r.Context(), in.Body.Value.Subject, *grant, by)
	})
}

// revokeRole handles POST /v1/roles/revoke.
func (s *Server) revokeRole(w http.ResponseWriter, r *http.Request, in *roleInput) error {
	grant, err := in.grant()
	if err != nil {
		return err
	}
	change := "revoked every role"
	if grant != nil {
		change = "revoked " + grant.String()
	}
	return s.changeRoles(w, r, in.Body.Value.Subject, change, func(admin AccessAdmin, by string) (access.Binding, error) {
		return admin.Revoke(r.Context(), in.Body.Value.Subject, grant, by)
	})
}

// changeRoles makes a change of a binding, logs it, and responds with the binding.
func (s *Server) changeRoles(w http.ResponseWriter, r *http.Request, subject, change string, apply func(admin AccessAdmin, by string) (access.Binding, error)) error {
	admin, err := s.requireAccessAdmin()
	if err != nil {
		return err
	}
	by := callers.Of(r.Context()).Identity.Subject
	trailOf(r.Context()).describe(subject, change)
	binding, err := apply(admin, by)
	if err != nil {
		return err
	}
	binding.Grants = orEmpty(binding.Grants)
	s.cfg.Logger.Info("roles changed", "subject", subject, "change", change, "actor", by)
	return writeJSON(w, http.StatusOK, binding)
}
