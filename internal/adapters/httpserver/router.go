package httpserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/api"
)

// gameIDSegment is the variable segment of a path.
const gameIDSegment = "{game_id}"

// runtimesPath is the path above all games.
const runtimesPath = "/v1/runtimes/"

// router finds the route of a request. It matches the escaped path segment by segment, so
// that a game id is any escaped text, even a single slash, and it never redirects: both
// differ from http.ServeMux, which cleans paths and could lead to another game.
type router struct{ routes []routeEntry }

type routeEntry struct {
	segments []string
	route    Route
}

func newRouter(routes []Route) router {
	var r router
	for _, route := range routes {
		r.routes = append(r.routes, routeEntry{segmentsOf(route.Path), route})
	}
	return r
}

func segmentsOf(path string) []string { return strings.Split(strings.TrimPrefix(path, "/"), "/") }

// find returns the route of a method and an escaped path, with the game id that the path
// contains. If there is none it returns a problem; for a known path, allowed lists its
// methods.
func (r router) find(method, escapedPath string) (route *Route, gameID string, allowed []string, p *api.Problem) {
	segments := segmentsOf(escapedPath)
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		if strings.HasPrefix(escapedPath, runtimesPath) {
			return nil, "", nil, problem.BadRequest("path.game_id", "must be one non-empty segment; percent-encode the id, its slashes included")
		}
		return nil, "", nil, noSuchRoute()
	}
	for i := range segments {
		text, err := url.PathUnescape(segments[i])
		if err != nil {
			return nil, "", nil, problem.BadRequest("path.game_id", "is not percent-encoded: %v", err)
		}
		segments[i] = text
	}
	for i := range r.routes {
		entry := &r.routes[i]
		id, matches := entry.match(segments)
		if !matches {
			continue
		}
		if entry.route.Method == method || entry.route.Method == http.MethodGet && method == http.MethodHead {
			return &entry.route, id, nil, nil
		}
		allowed = append(allowed, entry.route.Method)
		if entry.route.Method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	if allowed == nil {
		return nil, "", nil, noSuchRoute()
	}
	slices.Sort(allowed)
	return nil, "", allowed, problem.New(api.CodeMethodNotAllowed, method+" is not offered here; use "+strings.Join(allowed, ", "))
}

// match reports whether the route has the segments of a path, and returns the game id.
func (e *routeEntry) match(segments []string) (gameID string, matches bool) {
	if len(segments) != len(e.segments) {
		return "", false
	}
	for i, segment := range e.segments {
		switch segment {
		case gameIDSegment:
			gameID = segments[i]
		case segments[i]:
		default:
			return "", false
		}
	}
	return gameID, true
}

func noSuchRoute() *api.Problem {
	return problem.New(api.CodeNoSuchRoute, "the API has no such path; see /openapi.json")
}
