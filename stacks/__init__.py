"""The Pulumi program: what a Plan needs from the providers, one component resource a file, and what drives it.

`program` declares everything and exports the Facts; `engine` runs it through the Automation API. The stock
`pulumi` CLI runs the same program through `__main__`.
"""
