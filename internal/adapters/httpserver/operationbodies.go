package httpserver

import (
	"bytes"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// bodySchemas are the schemas that bodies of operations are decoded by, which are
// also those that the document shows.
type bodySchemas struct{ start, patch, empty, apply *huma.Schema }

// describeOperationBodies derives them, and says of the domain's types what their
// Go declarations cannot.
func (s *Server) describeOperationBodies() {
	schemaOf[api.StartRequest](s.registry)
	schemaOf[api.PatchRequest](s.registry)
	schemaOf[api.DriftApply](s.registry)
	schemas := s.registry.Map()

	start := closed(s.registry, schemas[startBodySchema])
	start.Required = nil
	start.Description = "How the game is to be run: what is left out is as before, or the default. Without any member the game is run as before."
	for name, text := range specDescriptions() {
		property := *start.Properties[name]
		property.Description = text
		start.Properties[name] = &property
	}
	apply := closed(s.registry, schemas[applyBodySchema])
	apply.Properties["findings"].Items.Required = []string{"id", "region", "node", "record_revision", "intent_revision"}
	s.bodies = bodySchemas{
		start: start, patch: closed(s.registry, schemas[patchBodySchema]), apply: apply,
		empty: &huma.Schema{Type: huma.TypeObject, AdditionalProperties: false, Description: "Nothing, or an object without members"},
	}
	schemas[startBodySchema], schemas[patchBodySchema] = s.bodies.start, s.bodies.patch
	schemas[emptyBodySchema], schemas[applyBodySchema] = s.bodies.empty, s.bodies.apply
}

func specDescriptions() map[string]string {
	return map[string]string{
		"image":          "What to run: an image reference, or NAME:VERSION below the images directory of an engine of local processes",
		"args":           "Arguments behind the image's own command",
		"env":            "Variables of the container; no secrets, for they are kept in the store as they are",
		"network":        "The engine's network to join",
		"port":           "The port on the node at which the game is reached; 0 or absent lets the engine choose",
		"container_port": "The port that the game listens on inside its container; default 8080",
		"cpus":           "How many CPUs it may use; 0 is no limit",
		"memory_bytes":   "How much memory it may use; 0 is no limit",
		"health_path":    "The path that answers 2xx when the game is well, or none; default /healthz",
		"health_timeout": "How long a start waits for health, such as 30s",
		"stop_grace":     "How long a stop waits between asking and killing, such as 10s",
		"crash":          "What to do when the container exits although no operation stopped it: start it again, at most so many attempts within the window, each so long after the exit",
		"on_node_lost":   "What to do when the node is gone: keep or reschedule",
	}
}

// decodeOptional is decodeBody for a body that may be missing.
func (s *Server) decodeOptional(schema *huma.Schema, body []byte, target any) (map[string]struct{}, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		body = []byte("{}")
	}
	members, err := decodeBody(s.registry, schema, body, target)
	given := make(map[string]struct{}, len(members))
	for name := range members {
		given[name] = struct{}{}
	}
	return given, err
}

// operationBody completes the request by what the body says, and returns where a
// game without a node is to be started.
func (s *Server) operationBody(body []byte, request *ports.OperationRequest) (node.Ref, error) {
	switch request.Kind {
	case operation.KindStart:
		return s.startBody(body, request)
	case operation.KindPatch:
		var patch api.PatchRequest
		if _, err := decodeBody(s.registry, s.bodies.patch, body, &patch); err != nil {
			return node.Ref{}, err
		}
		if err := operation.ValidateImage(patch.Image); err != nil {
			return node.Ref{}, problemOf(err, inRecordBody)
		}
		request.Image, request.Force = patch.Image, patch.Force
		return node.Ref{}, nil
	default:
		_, err := s.decodeOptional(s.bodies.empty, body, &struct{}{})
		return node.Ref{}, err
	}
}

func (s *Server) startBody(body []byte, request *ports.OperationRequest) (node.Ref, error) {
	var start api.StartRequest
	given, err := s.decodeOptional(s.bodies.start, body, &start)
	if err != nil {
		return node.Ref{}, err
	}
	for _, name := range []string{"region", "node"} {
		if _, named := given[name]; named && (name == "region" && start.Region == "" || name == "node" && start.Node == "") {
			return node.Ref{}, invalidProblem(http.StatusUnprocessableEntity,
				api.Fault{Location: "body." + name, Message: "is empty; leave it out where it does not matter"})
		}
		delete(given, name)
	}
	if len(given) > 0 {
		checked := start.Spec
		if checked.Image == "" {
			checked.Image = "as-before" // the image is the manager's to fill in
		}
		if err := checked.Validate(); err != nil {
			return node.Ref{}, problemOf(err, inRecordBody)
		}
		request.Spec = &start.Spec
	}
	return node.Ref{Region: start.Region, Name: start.Node}, nil
}
