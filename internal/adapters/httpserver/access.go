package httpserver

import (
	"context"
	"net/http"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
)

// AccessAdmin changes tokens and roles; services/auth implements it and documents the errors. It
// is safe for concurrent use.
type AccessAdmin interface {
	Tokens(ctx context.Context) ([]access.Token, error)
	CreateToken(ctx context.Context, name string, grants []access.Grant, lifetime time.Duration, by string) (access.Token, string, error)
	RevokeToken(ctx context.Context, name string) error
	Bindings(ctx context.Context) ([]access.Binding, error)
	Grant(ctx context.Context, subject string, grant access.Grant, by string) (access.Binding, error)
	Revoke(ctx context.Context, subject string, grant *access.Grant, by string) (access.Binding, error)
}

// accessRoutes returns the routes that concern identities and rights.
func accessRoutes() []Route {
	const tag = "access"
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/auth", ID: "get-authentication", Tag: tag,
			Summary: "Describe how callers prove their identity", Responses: jsonResponse[api.Authentication]("The description"), Codes: codes(),
		}, (*Server).getAuthentication),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/whoami", ID: "get-identity", Tag: tag,
			Summary: "Get the identity and the roles of the caller", Responses: jsonResponse[api.Identity]("The identity"), Codes: codes(),
		}, (*Server).getIdentity),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/can-i", ID: "get-decision", Tag: tag,
			Summary: "Report whether a subject has a permission", Responses: jsonResponse[api.Decision]("The decision"), Codes: codes(),
		}, (*Server).getDecision),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/tokens", ID: "list-tokens", Tag: tag,
			Summary: "List the tokens", Responses: jsonResponse[api.Tokens]("The tokens, without their secrets"), Codes: codes(storeCodes()),
		}, (*Server).listTokens),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/tokens", ID: "create-token", Tag: tag,
			Summary: "Create a token", Responses: jsonResponse[api.NewToken]("The token with its text"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodeTokenExists}),
		}, (*Server).createToken),
		withHandler(Route{
			Method: http.MethodDelete, Path: "/v1/tokens/{name}", ID: "revoke-token", Tag: tag,
			Summary:   "Revoke a token; its open streams end within seconds",
			Responses: []Response{{Status: http.StatusNoContent, Description: "The token is revoked"}},
			Codes:     codes(storeCodes(), writeCodes(), []api.Code{api.CodeNoSuchSubject}),
		}, (*Server).revokeToken),
		withHandler(Route{
			Method: http.MethodGet, Path: "/v1/roles", ID: "list-roles", Tag: tag,
			Summary: "List the role bindings", Responses: jsonResponse[api.Roles]("The bindings"), Codes: codes(storeCodes()),
		}, (*Server).listRoles),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/roles/grant", ID: "grant-role", Tag: tag,
			Summary: "Grant a role to a subject or group", Responses: jsonResponse[access.Binding]("The binding after the change"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes()),
		}, (*Server).grantRole),
		withHandler(Route{
			Method: http.MethodPost, Path: "/v1/roles/revoke", ID: "revoke-role", Tag: tag,
			Summary: "Revoke a role, or every role, of a subject or group", Responses: jsonResponse[access.Binding]("The binding after the change"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), []api.Code{api.CodeNoSuchSubject}),
		}, (*Server).revokeRole),
	}
}

// requireAccessAdmin returns the service of tokens and roles. A daemon without authentication has
// one as well: the first tokens can be created before authentication is turned on.
func (s *Server) requireAccessAdmin() (AccessAdmin, error) {
	if s.cfg.AccessAdmin == nil {
		return nil, problem.New(api.CodeNoEngine, "this daemon keeps no tokens and roles")
	}
	return s.cfg.AccessAdmin, nil
}
