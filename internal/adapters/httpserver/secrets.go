package httpserver

import (
	"context"
	"net/http"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/secret"
)

// secretsPath is the prefix of the paths of all secrets.
const secretsPath = "/v1/secrets"

// Secrets keeps secrets, as services/secrets does. Its methods are safe for concurrent use.
type Secrets interface {
	List(ctx context.Context) ([]secret.Metadata, error)
	Get(ctx context.Context, name string) (secret.Metadata, error)
	Reveal(ctx context.Context, name string) (secret.Metadata, secret.Values, error)
	Put(ctx context.Context, input secret.PutInput) (secret.Metadata, error)
	Delete(ctx context.Context, name string, isForced bool, actor string) error
	Rotate(ctx context.Context) (secret.Rotation, error)
}

// secretRoutes returns the routes of secrets. All of them are for administrators.
func secretRoutes() []Route {
	const tag = "secrets"
	keyCodes := []api.Code{api.CodeNoSecretKeys}
	return []Route{
		withHandler(Route{
			Method: http.MethodGet, Path: secretsPath, ID: "list-secrets", Tag: tag,
			Summary: "List all secrets, without values", Responses: jsonResponse[api.Secrets]("The secrets"),
			Codes: codes(storeCodes(), keyCodes),
		}, (*Server).listSecrets),
		withHandler(Route{
			Method: http.MethodGet, Path: secretsPath + "/" + secretSegment, ID: "get-secret", Tag: tag,
			Summary: "Describe a secret, with its values only if reveal is true", Responses: jsonResponse[api.Secret]("The secret"),
			Codes:    codes(storeCodes(), keyCodes, []api.Code{api.CodeSecretNotFound, api.CodeSecretUnreadable}),
			isSecret: true,
		}, (*Server).getSecret),
		withHandler(Route{
			Method: http.MethodPut, Path: secretsPath + "/" + secretSegment, ID: "put-secret", Tag: tag,
			Summary: "Create a secret, or replace all its values", Description: putSecretDescription, Responses: jsonResponse[api.Secret]("The secret as it was stored, without values"),
			Codes: codes(storeCodes(), writeCodes(), bodyCodes(), keyCodes),
		}, (*Server).putSecret),
		withHandler(Route{
			Method: http.MethodDelete, Path: secretsPath + "/" + secretSegment, ID: "delete-secret", Tag: tag,
			Summary: "Delete a secret that no game uses", Responses: []Response{{Status: http.StatusNoContent, Description: "The secret is deleted"}},
			Codes: codes(storeCodes(), writeCodes(), keyCodes, []api.Code{api.CodeSecretNotFound, api.CodeSecretInUse}),
		}, (*Server).deleteSecret),
		withHandler(Route{
			Method: http.MethodPost, Path: secretsPath + "/rotate", ID: "rotate-secrets", Tag: tag,
			Summary: "Wrap the data keys of all secrets with the newest key", Responses: jsonResponse[api.SecretRotation]("The result"),
			Codes: codes(storeCodes(), writeCodes(), keyCodes), timeout: checkTimeout,
		}, (*Server).rotateSecrets),
	}
}

const putSecretDescription = "The values are encrypted before they are stored. A game that uses the secret receives the new values at its next start. " +
	"A repeated request writes a further version with the same values."

type (
	secretInput struct {
		Name string `path:"name" doc:"The name of the secret as one percent-encoded segment: lower-case letters, digits, dots, - and _; or game.GAME_ID, or registry.HOST"`
	}
	getSecretInput struct {
		secretInput
		Reveal bool `query:"reveal" doc:"Include the values"`
	}
	actorInput struct {
		Actor string `header:"Rtmanager-Actor" field:"actor" doc:"The actor; text beyond ASCII in the notation of RFC 8187"`
	}
	putSecretInput struct {
		secretInput
		actorInput
		Body request.Body[api.SecretPut] `body:"required"`
	}
	deleteSecretInput struct {
		secretInput
		actorInput
		Force bool `query:"force" doc:"Delete the secret although games use it; they cannot start any more"`
	}
)

// decode returns the actor of the request.
func (in actorInput) decode() (string, error) {
	origin, err := originInput{Actor: in.Actor}.origin("")
	return origin.Actor, err
}

// listSecrets handles GET /v1/secrets.
func (s *Server) listSecrets(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	list, err := s.cfg.Secrets.List(r.Context())
	if err != nil {
		return err
	}
	response := api.Secrets{Items: []api.Secret{}}
	for _, found := range list {
		response.Items = append(response.Items, api.SecretOf(found))
	}
	return writeJSON(w, http.StatusOK, response)
}

// getSecret handles GET /v1/secrets/{name}.
func (s *Server) getSecret(w http.ResponseWriter, r *http.Request, in *getSecretInput) error {
	if !in.Reveal {
		found, err := s.cfg.Secrets.Get(r.Context(), in.Name)
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, api.SecretOf(found))
	}
	trailOf(r.Context()).describe("", "values revealed")
	found, values, err := s.cfg.Secrets.Reveal(r.Context(), in.Name)
	if err != nil {
		return err
	}
	s.cfg.Logger.Info("secret revealed", "secret", in.Name, "version", found.Version)
	response := api.SecretOf(found)
	response.Values = values.Reveal()
	return writeJSON(w, http.StatusOK, response)
}

// putSecret handles PUT /v1/secrets/{name}.
func (s *Server) putSecret(w http.ResponseWriter, r *http.Request, in *putSecretInput) error {
	actor, err := in.decode()
	if err != nil {
		return err
	}
	stored, err := s.cfg.Secrets.Put(r.Context(), secret.PutInput{
		Name: in.Name, Values: secret.NewValues(in.Body.Value.Values), Games: in.Body.Value.Games, Actor: actor,
	})
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.SecretOf(stored))
}

// deleteSecret handles DELETE /v1/secrets/{name}.
func (s *Server) deleteSecret(w http.ResponseWriter, r *http.Request, in *deleteSecretInput) error {
	actor, err := in.decode()
	if err != nil {
		return err
	}
	if err := s.cfg.Secrets.Delete(r.Context(), in.Name, in.Force, actor); err != nil {
		return err
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

// rotateSecrets handles POST /v1/secrets/rotate.
func (s *Server) rotateSecrets(w http.ResponseWriter, r *http.Request, _ *noInput) error {
	rotation, err := s.cfg.Secrets.Rotate(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, api.RotationOf(rotation))
}

// noSecrets is the Secrets of a server without any.
type noSecrets struct{}

func (noSecrets) List(context.Context) ([]secret.Metadata, error) { return nil, secret.ErrNoKeys }

func (noSecrets) Get(context.Context, string) (secret.Metadata, error) {
	return secret.Metadata{}, secret.ErrNoKeys
}

func (noSecrets) Reveal(context.Context, string) (secret.Metadata, secret.Values, error) {
	return secret.Metadata{}, nil, secret.ErrNoKeys
}

func (noSecrets) Put(context.Context, secret.PutInput) (secret.Metadata, error) {
	return secret.Metadata{}, secret.ErrNoKeys
}

func (noSecrets) Delete(context.Context, string, bool, string) error { return secret.ErrNoKeys }

func (noSecrets) Rotate(context.Context) (secret.Rotation, error) {
	return secret.Rotation{}, secret.ErrNoKeys
}
