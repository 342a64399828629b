using System.Runtime.CompilerServices;

// ML.NET keeps the parts that a model file needs internal. The build compiles against copies in which they are public
// (eng/FriendReferences.targets); these attributes let the runtime accept the calls.
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Core")]
[assembly: IgnoresAccessChecksTo("Microsoft.ML.Data")]

namespace System.Runtime.CompilerServices;

/// <summary>Honoured by the runtime: this assembly may use internal members of the named one.</summary>
[AttributeUsage(AttributeTargets.Assembly, AllowMultiple = true)]
internal sealed class IgnoresAccessChecksToAttribute(string assemblyName) : Attribute
{
    public string AssemblyName { get; } = assemblyName;
}
