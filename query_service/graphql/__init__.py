"""The GraphQL transport: `POST /graphql` and graphql-transport-ws at `/graphql`; docs/graphql.md explains both."""
