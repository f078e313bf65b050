/**
 * A todo manager in which everybody has their own todos, for any identity provider.
 *
 * | scope | lets its bearer |
 * |---|---|
 * | `create:todos` | create todos |
 * | `read:todos` | see everybody's todos, not only their own |
 * | `delete:todos` | delete anybody's todos, not only their own |
 *
 * It takes the variables that `whoami` takes; `MCP_AUTH_SCOPES` are needed besides those above.
 */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { McpAuth } from 'mcp-auth-node';
import { z } from 'zod';
import { serve } from './serve.js';
const { MCP_AUTH_RESOURCE = '', MCP_AUTH_ISSUER = '', MCP_AUTH_SCOPES = '' } = process.env;
const auth = new McpAuth({
    resource: MCP_AUTH_RESOURCE,
    authorizationServers: MCP_AUTH_ISSUER.split(','),
    requiredScopes: MCP_AUTH_SCOPES,
    scopesSupported: `${MCP_AUTH_SCOPES} create:todos read:todos delete:todos`.trim(),
    policy: { tools: { 'create-todo': 'create:todos' } },
});
let todos = [];
let created = 0;
serve(auth, (caller) => {
    const server = new McpServer({ name: 'todo-manager', version: '1.0.0' });
    server.registerTool('create-todo', { description: 'Create a todo of your own', inputSchema: { content: z.string() } }, ({ content }) => {
        const { issuer, subject } = caller;
        const todo = { id: (created += 1), content, owner: { issuer, subject } };
        todos.push(todo);
        return result(todo);
    });
    server.registerTool('get-todos', { description: "Your todos; everybody's with read:todos" }, () => {
        const visible = caller.has('read:todos') ? todos : todos.filter((todo) => isOf(todo, caller));
        return result({ todos: visible });
    });
    server.registerTool('delete-todo', { description: "Delete a todo; anybody's with delete:todos", inputSchema: { id: z.number() } }, ({ id }) => {
        const todo = todos.find((one) => one.id === id);
        if (!todo)
            throw new Error(`there is no todo ${id}`);
        if (!isOf(todo, caller))
            caller.require('delete:todos');
        todos = todos.filter((one) => one !== todo);
        return result(todo);
    });
    return server;
});
function isOf({ owner }, { issuer, subject }) {
    return owner.issuer === issuer && owner.subject === subject;
}
function result(value) {
    return { content: [{ type: 'text', text: JSON.stringify(value) }], structuredContent: { ...value } };
}
