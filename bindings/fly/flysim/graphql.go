package flysim

import (
	"encoding/json"
	"fmt"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// field is a part of an answer that is worked out when it is asked for.
type field = func(args obj) (any, error)

// typeKey is where an object of the tree keeps the name of its type.
const typeKey = "__typename"

// graphql answers what flyctl and a recovery ask: a query is parsed, its
// fields are looked up in a tree, and what the tree does not have is an error
// as the vendor's schema would give it.
func (s *Sim) graphql(c *call) (int, any, error) {
	var in struct {
		Query     string `json:"query"`
		Variables obj    `json:"variables"`
		Operation string `json:"operationName"`
	}
	if err := c.decode(&in); err != nil {
		return 0, nil, err
	}
	doc, err := parser.ParseQuery(&ast.Source{Input: in.Query})
	if err != nil {
		return 200, failure(err.Error()), nil
	}
	operation := doc.Operations.ForName(in.Operation)
	if operation == nil {
		return 200, failure("there is no operation to carry out"), nil
	}
	root := s.queries()
	if c.question = operation.Operation != ast.Mutation; !c.question {
		root = s.mutations()
	}
	p := projection{doc: doc, variables: in.Variables}
	data, err := p.object(root, operation.SelectionSet)
	if err != nil {
		return 200, failure(err.Error()), nil
	}
	return 200, obj{"data": data}, nil
}

func failure(message string) obj {
	code := "UNPROCESSABLE"
	if message == "Could not find App" {
		code = "NOT_FOUND"
	}
	return obj{"data": nil, "errors": []obj{{"message": message, "extensions": obj{"code": code}}}}
}

// projection cuts out of the tree what a query selects.
type projection struct {
	doc       *ast.QueryDocument
	variables obj
}

func (p projection) object(from obj, selected ast.SelectionSet) (obj, error) {
	out := obj{}
	for _, one := range selected {
		switch v := one.(type) {
		case *ast.Field:
			value, known := from[v.Name]
			if !known {
				return nil, fmt.Errorf("Field '%s' doesn't exist on type '%v'", v.Name, from[typeKey])
			}
			if work, isField := value.(field); isField {
				args, err := p.arguments(v.Arguments)
				if err == nil {
					value, err = work(args)
				}
				if err != nil {
					return nil, err
				}
			}
			cut, err := p.value(value, v.SelectionSet)
			if err != nil {
				return nil, err
			}
			out[v.Alias] = cut
		case *ast.InlineFragment:
			if err := p.merge(out, from, v.TypeCondition, v.SelectionSet); err != nil {
				return nil, err
			}
		case *ast.FragmentSpread:
			fragment := p.doc.Fragments.ForName(v.Name)
			if fragment == nil {
				return nil, fmt.Errorf("Fragment %s was used, but not defined", v.Name)
			}
			if err := p.merge(out, from, "", fragment.SelectionSet); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// merge adds a fragment when it is about the object's type.
func (p projection) merge(out, from obj, condition string, selected ast.SelectionSet) error {
	if condition != "" && condition != from[typeKey] {
		return nil
	}
	part, err := p.object(from, selected)
	for key, value := range part {
		out[key] = value
	}
	return err
}

func (p projection) value(value any, selected ast.SelectionSet) (any, error) {
	switch v := value.(type) {
	case obj:
		if len(selected) == 0 {
			return v, nil // a scalar of JSON
		}
		return p.object(v, selected)
	case []obj:
		out := []any{}
		for _, one := range v {
			cut, err := p.value(one, selected)
			if err != nil {
				return nil, err
			}
			out = append(out, cut)
		}
		return out, nil
	}
	return value, nil
}

func (p projection) arguments(given ast.ArgumentList) (obj, error) {
	args := obj{}
	for _, a := range given {
		v, err := a.Value.Value(p.variables)
		if err != nil {
			return nil, err
		}
		args[a.Name] = v
	}
	return args, nil
}

// nodes is a list as GraphQL connections have it.
func nodes(list []obj) obj {
	return obj{typeKey: "Connection", "nodes": list, "totalCount": len(list),
		"pageInfo": obj{typeKey: "PageInfo", "hasNextPage": false, "endCursor": ""}}
}

// count reads how many of a list are wanted.
func count(args obj, key string, otherwise int) int {
	switch n := args[key].(type) {
	case int64:
		return int(n)
	case float64:
		return int(n)
	case json.Number:
		if v, err := n.Int64(); err == nil {
			return int(v)
		}
	}
	return otherwise
}
