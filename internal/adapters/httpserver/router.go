package httpserver

import (
	"net/http"
	"net/url"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/problem"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/federation"
)

// gameIDSegment is the variable segment of the paths of games. Variable segments have braces.
const gameIDSegment = "{game_id}"

// secretSegment is the variable segment of the path of a secret.
const secretSegment = "{name}"

// runtimesPath is the prefix of the paths of all games.
const runtimesPath = "/v1/runtimes/"

// storesPath is the prefix of the paths of other stores: the name of a store and the path at its
// daemon follow, as in /v1/stores/us/v1/runtimes.
const storesPath = "/v1/stores/"

// router finds the route of a request. It matches the escaped path segment by segment, so
// a game id may be any escaped text, even a single slash. It never redirects. http.ServeMux
// cleans paths and redirects, which could select another game.
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

// routeMatch is the result of a search for a route.
type routeMatch struct {
	route *Route
	// variable is the text of the first variable segment, empty if the path has none.
	variable string
	// variables are the texts of all variable segments by name.
	variables map[string]string
	// store is the store to which the request is forwarded, empty for the daemon's own; path is
	// the escaped path at the daemon of that store.
	store, path string
	// allowed are the methods of a known path for which no route has the method.
	allowed []string
}

// find returns the route of a method and an escaped path, or a problem if there is none.
func (r router) find(method, escapedPath string) (routeMatch, *api.Problem) {
	if rest, isOfStore := strings.CutPrefix(escapedPath, storesPath); isOfStore {
		return r.findInStore(method, rest)
	}
	segments := segmentsOf(escapedPath)
	if path, hasSlash := strings.CutSuffix(escapedPath, "/"); hasSlash && path != "" && !strings.HasSuffix(path, "/") {
		return routeMatch{}, problem.New(api.CodeNoSuchRoute, "a path must not end with a slash; use "+request.Clip(path))
	}
	if slices.ContainsFunc(segments, func(s string) bool { return s == "" || s == "." || s == ".." }) {
		if strings.HasPrefix(escapedPath, runtimesPath) {
			return routeMatch{}, problem.BadRequest("path.game_id", "must be one non-empty segment; percent-encode the id, its slashes included")
		}
		return routeMatch{}, noSuchRoute()
	}
	for i := range segments {
		text, err := url.PathUnescape(segments[i])
		if err != nil {
			return routeMatch{}, problem.BadRequest("path.game_id", "is not percent-encoded: %v", err)
		}
		segments[i] = text
	}
	var allowed []string
	for i := range r.routes {
		entry := &r.routes[i]
		variable, variables, matches := entry.match(segments)
		if !matches {
			continue
		}
		if entry.route.Method == method || entry.route.Method == http.MethodGet && method == http.MethodHead {
			return routeMatch{route: &entry.route, variable: variable, variables: variables}, nil
		}
		allowed = append(allowed, entry.route.Method)
		if entry.route.Method == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	if allowed == nil {
		return routeMatch{}, noSuchRoute()
	}
	slices.Sort(allowed)
	return routeMatch{allowed: allowed}, problem.New(api.CodeMethodNotAllowed, "this path does not support "+method+"; use "+strings.Join(allowed, ", "))
}

// findInStore returns the route of a path at a daemon of another store. It has the routes of this
// daemon: a path that this daemon does not know is not forwarded.
func (r router) findInStore(method, rest string) (routeMatch, *api.Problem) {
	name, path, hasPath := strings.Cut(rest, "/")
	store, err := url.PathUnescape(name)
	switch {
	case err != nil || federation.ValidateName(store) != nil:
		return routeMatch{}, problem.BadRequest("path.store", "is not the name of a store")
	case !hasPath:
		return routeMatch{}, problem.New(api.CodeNoSuchRoute, "the path at the other store must follow its name, as in "+storesPath+store+"/v1/runtimes; GET /v1/stores lists the stores")
	case strings.HasPrefix("/"+path, storesPath):
		return routeMatch{}, problem.BadRequest("path.store", "names a store of another store; a request is forwarded to one store only")
	}
	match, p := r.find(method, "/"+path)
	match.store, match.path = store, "/"+path
	return match, p
}

// requirement returns what the caller needs at this daemon. Another store authorizes the caller
// itself.
func (m routeMatch) requirement() callers.Requirement {
	if m.store != "" {
		return callers.Requirement{Kind: callers.RequireIdentity}
	}
	return m.route.Requirement
}

// label returns the path for metrics.
func (m routeMatch) label() string {
	if m.store != "" {
		return storesPath + "{store}" + m.route.Path
	}
	return m.route.Path
}

// target returns what the path names, such as REGION/NODE: the texts of its variable segments, in order.
func (m routeMatch) target() string {
	var texts []string
	for segment := range strings.SplitSeq(m.route.Path, "/") {
		if name, isVariable := strings.CutPrefix(segment, "{"); isVariable {
			texts = append(texts, m.variables[strings.TrimSuffix(name, "}")])
		}
	}
	return strings.Join(texts, "/")
}

// match reports whether the route has the segments of a path. It returns the texts of the
// variable segments by name, and that of the first.
func (e *routeEntry) match(segments []string) (first string, variables map[string]string, matches bool) {
	if len(segments) != len(e.segments) {
		return "", nil, false
	}
	for i, segment := range e.segments {
		name, isVariable := strings.CutPrefix(segment, "{")
		switch {
		case isVariable:
			if variables == nil {
				first, variables = segments[i], map[string]string{}
			}
			variables[strings.TrimSuffix(name, "}")] = segments[i]
		case segment != segments[i]:
			return "", nil, false
		}
	}
	return first, variables, true
}

func noSuchRoute() *api.Problem {
	return problem.New(api.CodeNoSuchRoute, "the API has no such path; see /openapi.json")
}
