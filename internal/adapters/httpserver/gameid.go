package httpserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// idMark goes before every game id on its way through the mux. The mux reads
// an id that is a slash as the end of the path, and redirects paths that look
// unclean to it; with the mark, every id is an ordinary segment.
const idMark = "~"

const runtimesPath = "/v1/runtimes/"

// markGameID returns the request with its game id marked, or with a problem
// for a path that has an empty or a dot segment: the mux would redirect those
// to some other game.
func markGameID(r *http.Request) (*http.Request, *api.Problem) {
	path := r.URL.EscapedPath()
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	unclean := slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." })
	rest, isRuntime := strings.CutPrefix(path, runtimesPath)
	switch {
	case isRuntime && unclean:
		return nil, badRequest("path.game_id", "is not one non-empty segment; percent-encode the id, slashes included")
	case unclean:
		return nil, newProblem(http.StatusNotFound, api.CodeNoSuchRoute, "No such route",
			"nothing is served at this path; /openapi.json lists what is")
	case !isRuntime:
		return r, nil
	}
	marked := runtimesPath + idMark + rest
	decoded, err := url.PathUnescape(marked)
	if err != nil {
		return nil, badRequest("path.game_id", "is not percent-encoded: %v", err)
	}
	clone := *r
	clone.URL = new(*r.URL)
	clone.URL.Path, clone.URL.RawPath = decoded, marked
	return &clone, nil
}

// GameInput is the part of a request that names the game. It is exported for
// huma, which passes over embedded types that are not.
type GameInput struct {
	GameID string `path:"game_id" doc:"The game's id as one percent-encoded segment: 1 to 256 bytes of UTF-8 without control characters, not blank, not a dot or two"`
}

// id returns the game id that the path names, decoded once.
func (in GameInput) id() (string, error) {
	id := strings.TrimPrefix(in.GameID, idMark)
	if err := runtime.ValidateGameID(id); err != nil {
		return "", problemOf(err, func(field string) string { return "path." + field })
	}
	return id, nil
}
