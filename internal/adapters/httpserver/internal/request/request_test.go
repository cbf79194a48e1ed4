package request_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/request"
)

// A struct declares a request; every fault of a request is reported with its place.
func ExampleDecoder() {
	type pet struct {
		Name string `json:"name" required:"true"`
		Legs int    `json:"legs,omitempty"`
	}
	type input struct {
		Limit int               `query:"limit" minimum:"1" default:"10"`
		Body  request.Body[pet] `body:"required"`
	}
	decoder := request.NewDecoder(reflect.TypeFor[input]())

	decode := func(query, body string) {
		var in input
		r := httptest.NewRequest(http.MethodPost, "/pets?"+query, strings.NewReader(body))
		if p := decoder.Decode(httptest.NewRecorder(), r, nil, &in, time.Second); p != nil {
			fmt.Println(p.Status, p.Detail)
			return
		}
		fmt.Println(in.Limit, in.Body.Value.Name)
	}
	decode("", `{"name":"Rex"}`)
	decode("limit=0&limt=5", `{}`)
	decode("", `{"Name":"Rex","legs":"4"}`)
	decode("", `{"name":"Rex","name":"Max"}`)
	// Output:
	// 10 Rex
	// 400 query.limit "0" is invalid: expected at least 1; query.limt is not a parameter of this request
	// 422 body.Name is not a member of this object; body.legs "4" is invalid: expected a whole number of at most 64 bits; body.name is required
	// 400 body is not valid JSON: duplicate object member name "name"
}
