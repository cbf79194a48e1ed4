package httpserver_test

import (
	"fmt"
	"net/http"
	"strings"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/operation"
)

// invalidOperations returns requests of operations that can never be executed.
func invalidOperations() []invalidRequest {
	var rows []invalidRequest
	add := func(kind operation.Kind, name, body string, status int, at string) {
		rows = append(rows, invalidRequest{fmt.Sprintf("%s %s", kind, name), "POST", operationPath("g", kind), "", body, status, api.CodeInvalid, at})
	}
	for name, member := range map[string]struct{ text, at string }{
		"image":                 {`"image":"a b"`, "image"},
		"image of a wrong kind": {`"image":7`, "image"},
		"null image":            {`"image":null`, "image"},
		"port":                  {`"port":70000`, "port"},
		"port with a fraction":  {`"port":1.5`, "port"},
		"port as text":          {`"port":"80"`, "port"},
		"negative port":         {`"container_port":-1`, "container_port"},
		"cpus":                  {`"cpus":-1`, "cpus"},
		"memory":                {`"memory_bytes":1`, "memory_bytes"},
		"memory as text":        {`"memory_bytes":"256MiB"`, "memory_bytes"},
		"args":                  {`"args":[1]`, "args"},
		"null arg":              {`"args":["x",null]`, "args"},
		"null value in env":     {`"env":{"A":null}`, "env"},
		"arg with a NUL":        {`"args":["\u0000"]`, "args"},
		"env":                   {`"env":{"A":1}`, "env"},
		"env without a name":    {`"env":{"":"x"}`, "env"},
		"health path":           {`"health_path":"healthz"`, "health_path"},
		"health path's escape":  {`"health_path":"/%zz"`, "health_path"},
		"long network":          {`"network":"` + strings.Repeat("n", 256) + `"`, "network"},
		"health timeout":        {`"health_timeout":"soon"`, "health_timeout"},
		"health timeout bare":   {`"health_timeout":30`, "health_timeout"},
		"long stop grace":       {`"stop_grace":"2h"`, "stop_grace"},
		"crash":                 {`"crash":7`, "crash"},
		"crash attempts":        {`"crash":{"attempts":-1}`, "crash.attempts"},
		"crash attempts' kind":  {`"crash":{"attempts":"1"}`, "crash.attempts"},
		"crash window":          {`"crash":{"window":"1"}`, "crash.window"},
		"crash's unknown":       {`"crash":{"tries":1}`, "crash.tries"},
		"crash in capitals":     {`"crash":{"Attempts":1}`, "crash.Attempts"},
		"node lost":             {`"on_node_lost":"panic"`, "on_node_lost"},
		"empty region":          {`"region":""`, "region"},
		"empty node":            {`"region":"eu","node":""`, "node"},
		"unknown member":        {`"privileged":true`, "privileged"},
		"member in capitals":    {`"Image":"a:1"`, "Image"},
	} {
		add(operation.KindStart, name, "{"+member.text+"}", 422, "body."+member.at)
	}
	add(operation.KindStart, "with two faults", `{"port":-1,"cpus":-1}`, 422, "body.port body.cpus")
	add(operation.KindStart, "crash twice", `{"crash":{"attempts":1,"attempts":2}}`, 400, "body")
	add(operation.KindPatch, "without a body", "", 400, "body")
	add(operation.KindPatch, "without an image", "{}", 422, "body.image")
	add(operation.KindPatch, "with an empty image", `{"image":""}`, 422, "body.image")
	add(operation.KindPatch, "with a bad image", `{"image":"../x"}`, 422, "body.image")
	add(operation.KindPatch, "with a bad force", `{"image":"a:1","force":"yes"}`, 422, "body.force")
	add(operation.KindPatch, "with a spec", `{"image":"a:1","port":1}`, 422, "body.port")
	for _, kind := range operationKinds {
		add(kind, "an array", "[]", 422, "body")
		add(kind, "null", "null", 422, "body")
		add(kind, "trailing data", validBody(kind)+"{} x", 400, "body")
		add(kind, "words", "now", 400, "body")
		add(kind, "not UTF-8", "{\"\xff\":1}", 400, "body")
		if kind != operation.KindStart && kind != operation.KindPatch {
			add(kind, "a member", `{"image":"a:1"}`, 422, "body.image")
		}
		rows = append(rows,
			invalidRequest{string(kind) + " unknown wait", "POST", operationPath("g", kind) + "?wait=forever", "", validBody(kind), 400, api.CodeInvalid, "query.wait"},
			invalidRequest{string(kind) + " two waits", "POST", operationPath("g", kind) + "?wait=done&wait=done", "", validBody(kind), 400, api.CodeInvalid, "query.wait"},
			invalidRequest{string(kind) + " unknown query", "POST", operationPath("g", kind) + "?force=1", "", validBody(kind), 400, api.CodeInvalid, "query.force"},
			invalidRequest{string(kind) + " long id", "POST", operationPath(strings.Repeat("x", 257), kind), "", validBody(kind), 400, api.CodeInvalid, "path.game_id"},
			invalidRequest{string(kind) + " long operation id", "POST", operationPath("g", kind), "Idempotency-Key: " + strings.Repeat("x", 129) + "\r\n", validBody(kind), 400, api.CodeInvalid, "header.Idempotency-Key"},
			invalidRequest{string(kind) + " long reason", "POST", operationPath("g", kind), "Rtmanager-Reason: " + strings.Repeat("x", 1025) + "\r\n", validBody(kind), 400, api.CodeInvalid, "header.Rtmanager-Reason"},
			invalidRequest{string(kind) + " broken actor", "POST", operationPath("g", kind), "Rtmanager-Actor: UTF-8''%zz\r\n", validBody(kind), 400, api.CodeInvalid, "header.Rtmanager-Actor"},
			invalidRequest{string(kind) + " from another origin", "POST", operationPath("g", kind), "Sec-Fetch-Site: cross-site\r\n", validBody(kind), 403, api.CodeCrossOrigin, ""},
			invalidRequest{string(kind) + " text", "POST", operationPath("g", kind), "Content-Type: text/plain\r\n", validBody(kind), 415, api.CodeUnsupportedMediaType, ""},
			invalidRequest{string(kind) + " too large", "POST", operationPath("g", kind), "", strings.Repeat(" ", 1<<20+1), 413, api.CodePayloadTooLarge, ""},
			invalidRequest{string(kind) + " by GET", "GET", operationPath("g", kind), "", "", http.StatusMethodNotAllowed, api.CodeMethodNotAllowed, ""},
		)
	}
	return rows
}

// invalidDriftRequests returns findings that no node can have reported, and other
// invalid requests for the routes of drift.
func invalidDriftRequests() []invalidRequest {
	var rows []invalidRequest
	const validFinding = `{"id":"a","region":"eu","node":"n1","record_revision":1,"intent_revision":1}`
	for _, bad := range []struct {
		name, body string
		status     int
		at         string
	}{
		{"nothing", "", 400, "body"},
		{"an empty object", "{}", 422, "body.findings"},
		{"no findings", `{"findings":[]}`, 422, "body.findings"},
		{"findings as an object", `{"findings":{}}`, 422, "body.findings"},
		{"null findings", `{"findings":null}`, 422, "body.findings"},
		{"a finding as text", `{"findings":["a"]}`, 422, "body.findings[0]"},
		{"an empty finding", `{"findings":[` + validFinding + `,{}]}`, 422, "body.findings[1].id body.findings[1].region body.findings[1].node body.findings[1].record_revision body.findings[1].intent_revision"},
		{"a revision as text", `{"findings":[{"id":"a","region":"eu","node":"n1","record_revision":"1","intent_revision":1}]}`, 422, "body.findings[0].record_revision"},
		{"an unknown member", `{"findings":[` + validFinding[:len(validFinding)-1] + `,"force":true}]}`, 422, "body.findings[0].force"},
		{"too many findings", `{"findings":[` + strings.Repeat(validFinding+",", 1000) + validFinding + `]}`, 422, "body.findings"},
	} {
		rows = append(rows, invalidRequest{"apply " + bad.name, "POST", "/v1/drift/apply", "", bad.body, bad.status, api.CodeInvalid, bad.at})
	}
	return append(rows,
		invalidRequest{"unknown scope", "GET", "/v1/drift?scope=world", "", "", 400, api.CodeInvalid, "query.scope"},
		invalidRequest{"release of a region", "POST", "/v1/drift/release?region=eu", "", "", 400, api.CodeInvalid, "query.node"},
		invalidRequest{"release from another origin", "POST", "/v1/drift/release", "Sec-Fetch-Site: cross-site\r\n", "", 403, api.CodeCrossOrigin, ""},
		invalidRequest{"explain with a query", "GET", "/v1/runtimes/g/explain?x=1", "", "", 400, api.CodeInvalid, "query.x"},
		invalidRequest{"nodes with a query", "GET", "/v1/nodes?region=eu", "", "", 400, api.CodeInvalid, "query.region"},
	)
}
