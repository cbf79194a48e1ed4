package httpserver

import (
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

// listTokens handles GET /v1/tokens.
func (s *Server) listTokens(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	admin, err := s.requireAccessAdmin()
	if err != nil {
		return err
	}
	tokens, err := admin.Tokens(r.Context())
	if err != nil {
		return err
	}
	response := api.Tokens{Items: []api.Token{}}
	for _, token := range tokens {
		response.Items = append(response.Items, api.TokenFrom(token))
	}
	return writeJSON(w, http.StatusOK, response)
}

type createTokenInput struct {
	Body request.Body[api.TokenRequest] `body:"required"`
}

// createToken handles POST /v1/tokens.
func (s *Server) createToken(w http.ResponseWriter, r *http.Request, in *createTokenInput) error {
	admin, err := s.requireAccessAdmin()
	if err != nil {
		return err
	}
	body := in.Body.Value
	by := callers.Of(r.Context()).Identity.Subject
	trailOf(r.Context()).describe(access.PrefixToken+body.Name, "granted "+access.RightsOf(body.Grants).String())
	token, text, err := admin.CreateToken(r.Context(), body.Name, body.Grants, time.Duration(body.ExpiresIn), by)
	if err != nil {
		return err
	}
	s.cfg.Logger.Info("token created", "token", token.Name, "grants", access.RightsOf(token.Grants).String(), "expires_at", token.ExpiresAt, "actor", by)
	return writeJSON(w, http.StatusOK, api.NewToken{Token: api.TokenFrom(token), Text: text})
}

type tokenInput struct {
	Name string `path:"name" doc:"The name of the token as one percent-encoded segment"`
}

// revokeToken handles DELETE /v1/tokens/{name}.
func (s *Server) revokeToken(w http.ResponseWriter, r *http.Request, in *tokenInput) error {
	admin, err := s.requireAccessAdmin()
	if err != nil {
		return err
	}
	if err := admin.RevokeToken(r.Context(), in.Name); err != nil {
		return err
	}
	s.cfg.Logger.Info("token revoked", "token", in.Name, "actor", callers.Of(r.Context()).Identity.Subject)
	w.WriteHeader(http.StatusNoContent)
	return nil
}
